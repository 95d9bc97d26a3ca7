"""The words of a PDF as Qt writes it: enough to see what stands on the pages, no more."""

from __future__ import annotations

import re
import unicodedata
import zlib


def pdf_pages(data: bytes) -> list[str]:
    """The text of every page, in the order of painting and without its line breaks."""
    objects = {int(m[1]): m[2] for m in re.finditer(rb"\n(\d+) 0 obj\n(.*?)\nendobj", data, re.S)}
    fonts = {}
    for number, body in objects.items():
        told = re.search(rb"/ToUnicode (\d+) 0 R", body)
        if told:
            fonts[number] = _characters(_stream(objects[int(told[1])]))
    pages = [body for body in objects.values() if re.search(rb"/Type\s*/Page\b", body)]
    contents = [re.search(rb"/Contents (\d+) 0 R", page) for page in pages]
    return [_text(_stream(objects[int(found[1])]), fonts) for found in contents if found]


def _stream(body: bytes) -> bytes:
    inner = body.split(b"stream\n", 1)[1].rsplit(b"\nendstream", 1)[0]
    return zlib.decompress(inner) if b"/FlateDecode" in body else inner


def _characters(cmap: bytes) -> dict[int, str]:
    """What each glyph stands for: ranges with a list of characters, and ranges that count on from one."""
    out = {}
    arrays = re.compile(rb"<(\w{4})> <(\w{4})> \[(.*?)\]", re.S)
    for first, last, targets in arrays.findall(cmap):
        names = re.findall(rb"<(\w+)>", targets)
        for glyph, name in zip(range(int(first, 16), int(last, 16) + 1), names, strict=True):
            out[glyph] = bytes.fromhex(name.decode()).decode("utf-16-be")
    for first, last, target in re.findall(rb"<(\w{4})> <(\w{4})> <(\w{4})>", arrays.sub(b"", cmap)):
        for offset in range(int(last, 16) - int(first, 16) + 1):
            out[int(first, 16) + offset] = chr(int(target, 16) + offset)
    return out


def _text(content: bytes, fonts: dict[int, dict[int, str]]) -> str:
    out, font = [], {}
    for name, glyphs in re.findall(rb"/F(\d+) [\d.]+ Tf|<([0-9a-fA-F]+)>", content):
        if name:
            font = fonts.get(int(name), {})
        else:
            out += [font.get(int(glyphs[n : n + 4], 16), "?") for n in range(0, len(glyphs), 4)]
    # Fonts join letters such as fl into one glyph, and Qt writes blanks as tabs.
    return unicodedata.normalize("NFKC", "".join(out)).replace("\t", " ")
