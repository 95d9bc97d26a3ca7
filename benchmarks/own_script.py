"""The peer: what a user would script with pydicom, torchvision and the grad-cam library.

Opens a DICOM radiograph, runs DenseNet-201 at 448 px (random weights: they cost the same), makes the Grad-CAM and
saves the overlay. With `--repeat N` it also times N warm diagnoses and prints their seconds.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import pydicom
import torch
from PIL import Image
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.image import show_cam_on_image
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torchvision.models import densenet201
from torchvision.transforms.functional import normalize, resize

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("radiograph", type=Path)
    parser.add_argument("overlay", type=Path)
    parser.add_argument("--repeat", type=int, default=0)
    arguments = parser.parse_args()

    dataset = pydicom.dcmread(arguments.radiograph)
    grey = dataset.pixel_array.astype(np.float32)
    grey = (grey - grey.min()) / (grey.max() - grey.min())
    model = densenet201(weights=None, num_classes=2).eval()
    camera = GradCAM(model=model, target_layers=[model.features[-1]])

    def diagnose() -> tuple[np.ndarray, np.ndarray]:
        square = resize(torch.from_numpy(grey)[None], [448, 448], antialias=True).expand(3, -1, -1)
        batch = normalize(square, MEAN, STD)[None]
        return square.permute(1, 2, 0).numpy(), camera(input_tensor=batch, targets=[ClassifierOutputTarget(1)])[0]

    picture, saliency = diagnose()
    Image.fromarray(show_cam_on_image(np.ascontiguousarray(picture.clip(0, 1)), saliency, use_rgb=True)).save(
        arguments.overlay
    )
    times_s = []
    for _ in range(arguments.repeat):
        started = time.perf_counter()
        diagnose()
        times_s.append(time.perf_counter() - started)
    print(json.dumps(times_s))


if __name__ == "__main__":
    main()
