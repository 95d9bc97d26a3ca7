"""Which other files an ONNX file refers to, read without the onnx package (it is no part of the installed program).

An ONNX file is a protocol-buffer message. Its tensors may keep their data in other files, named by any path: read
them here, before ONNX Runtime follows them. Field numbers are those of onnx.proto (ONNX IR version 3 and later).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

# message -> {field number: message that it holds}; all other fields are skipped.
_NESTED: dict[str, dict[int, str]] = {
    "Model": {7: "Graph", 20: "TrainingInfo", 25: "Function"},
    "TrainingInfo": {1: "Graph", 2: "Graph"},
    "Graph": {1: "Node", 5: "Tensor", 15: "SparseTensor"},
    "Function": {7: "Node", 11: "Attribute"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "SparseTensor", 23: "SparseTensor"},
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
    "Tensor": {13: "Entry"},
    "Entry": {},
}
_MAX_DEPTH = 64


def external_files(path: Path) -> set[str]:
    """Every `location` of external data in the ONNX file, as written there. ValueError when it is no ONNX file."""
    return set(_locations(memoryview(path.read_bytes()), "Model", 0))


def _locations(message: memoryview, kind: str, depth: int) -> Iterator[str]:
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deep")
    if kind == "Entry":
        fields = {number: bytes(value) for number, value in _fields(message)}
        if fields.get(1) == b"location":
            yield fields.get(2, b"").decode("utf-8")
        return
    nested = _NESTED[kind]
    for number, value in _fields(message):
        if number in nested:
            yield from _locations(value, nested[number], depth + 1)


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """The length-delimited fields of a message: (field number, bytes)."""
    position, end = 0, len(message)
    while position < end:
        key, position = _varint(message, position)
        wire_type = key & 7
        if wire_type == 0:
            _, position = _varint(message, position)
        elif wire_type == 1:
            position += 8
        elif wire_type == 5:
            position += 4
        elif wire_type == 2:
            length, position = _varint(message, position)
            if position + length > end:
                raise ValueError("a field runs past the end of the file")
            yield key >> 3, message[position : position + length]
            position += length
        else:
            raise ValueError(f"wire type {wire_type} is not in use")
    if position > end:
        raise ValueError("the file ends within a field")


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(message):
            raise ValueError("the file ends within a number")
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError("a number is too long")
