"""RingNet written out in TensorFlow 1 under the names of TF-Slim and HMR, and a checkpoint of it of random numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
PARAMETERS = 159
BLOCKS = (("block1", 1, 3, 2), ("block2", 2, 4, 2), ("block3", 4, 6, 2), ("block4", 8, 3, 1))
"""Scope, width in widths of the first convolution, units, stride of the last of them."""


TRAINING: Mapping[str, tuple[int, ...]] = {
    "resnet_v2_50/conv1/weights/Adam": (7, 7, 3, 4),
    "resnet_v2_50/conv1/weights/Adam_1": (7, 7, 3, 4),
    "3D_module/fc1/biases/Momentum": (8,),
    "beta1_power": (),
    "beta2_power_1": (),
    "global_step": (),
    "D/pose_out_j0/weights": (32, 1),
    "Flamenetnormal/v_template": (5, 3),
}
"""What a checkpoint may hold beside the network: variable -> shape."""


class Graph:
    """The whole network as a graph of its own."""

    def __init__(
        self, width: int, hidden: int, extras: Mapping[str, tuple[int, ...]] | None = None, leave_out: str = ""
    ) -> None:
        import tensorflow as tf

        self.tf, self.random = tf.compat.v1, np.random.default_rng(0)
        self.graph = tf.Graph()
        self.variables: dict[str, Any] = {}
        with self.graph.as_default():
            self.images = self.tf.placeholder(tf.float32, (None, None, None, 3), "input_images")
            self.theta = self.regressor(self.encoder(self.images, width), hidden)
            for name, shape in (extras or {}).items():
                self.variable(name, np.zeros(shape, np.float32))
            kept = {name: value for name, value in self.variables.items() if name != leave_out}
            self.saver = self.tf.train.Saver(kept)
            self.start = self.tf.global_variables_initializer()
        self.session = self.tf.Session(graph=self.graph)
        self.session.run(self.start)

    def save(self, prefix: Path) -> Path:
        with self.graph.as_default():
            self.saver.save(self.session, str(prefix), write_state=False)
        return prefix

    def run(self, crops: Array) -> Array:
        """Crops ``(B, 3, H, W)`` RGB in [0, 1], put to [-1, 1] as the authors' demo does, one by one."""
        images = 2 * (crops.transpose(0, 2, 3, 1) - 0.5)
        rows = [self.session.run(self.theta, {self.images: image[None]}) for image in images]
        return np.concatenate(rows)

    def variable(self, name: str, value: Array) -> Any:
        self.variables[name] = self.tf.Variable(np.asarray(value, np.float32), name=name)
        return self.variables[name]

    def normal(self, name: str, shape: tuple[int, ...], deviation: float) -> Any:
        return self.variable(name, self.random.normal(0, deviation, shape))

    def norm(self, x: Any, scope: str) -> Any:
        width = int(x.shape[-1])
        gamma = self.variable(f"{scope}/gamma", self.random.uniform(0.5, 1.5, width))
        beta = self.normal(f"{scope}/beta", (width,), 0.2)
        mean = self.normal(f"{scope}/moving_mean", (width,), 0.2)
        variance = self.variable(f"{scope}/moving_variance", self.random.uniform(0.5, 2, width))
        return self.tf.nn.relu(self.tf.nn.batch_normalization(x, mean, variance, beta, gamma, 1e-5))

    def conv(self, x: Any, scope: str, width: int, size: int, stride: int = 1, biased: bool = False) -> Any:
        inward = int(x.shape[-1])
        weights = self.normal(f"{scope}/weights", (size, size, inward, width), (size * size * inward) ** -0.5)
        if size > 1 and stride > 1:
            x = self.tf.pad(x, [[0, 0], [size // 2, size // 2], [size // 2, size // 2], [0, 0]])
        padding = "VALID" if stride > 1 else "SAME"
        x = self.tf.nn.conv2d(x, weights, strides=[1, stride, stride, 1], padding=padding)
        return x + self.normal(f"{scope}/biases", (width,), 0.2) if biased else x

    def unit(self, x: Any, scope: str, width: int, stride: int) -> Any:
        active = self.norm(x, f"{scope}/preact")
        if int(x.shape[-1]) != 4 * width:
            short = self.conv(active, f"{scope}/shortcut", 4 * width, 1, stride, biased=True)
        elif stride > 1:
            short = self.tf.nn.max_pool(x, [1, 1, 1, 1], [1, stride, stride, 1], "SAME")
        else:
            short = x
        y = self.norm(self.conv(active, f"{scope}/conv1", width, 1), f"{scope}/conv1/BatchNorm")
        y = self.norm(self.conv(y, f"{scope}/conv2", width, 3, stride), f"{scope}/conv2/BatchNorm")
        return short + self.conv(y, f"{scope}/conv3", 4 * width, 1, biased=True)

    def encoder(self, x: Any, width: int) -> Any:
        x = self.conv(x, "resnet_v2_50/conv1", width, 7, 2, biased=True)
        x = self.tf.nn.max_pool(x, [1, 3, 3, 1], [1, 2, 2, 1], "SAME")
        for scope, times, units, stride in BLOCKS:
            for number in range(1, units + 1):
                place = f"resnet_v2_50/{scope}/unit_{number}/bottleneck_v2"
                x = self.unit(x, place, times * width, stride if number == units else 1)
        return self.tf.reduce_mean(self.norm(x, "resnet_v2_50/postnorm"), [1, 2])

    def regressor(self, features: Any, hidden: int) -> Any:
        inward = int(features.shape[-1]) + PARAMETERS
        layers = []
        for scope, rows, columns in (("fc1", inward, hidden), ("fc2", hidden, hidden), ("fc3", hidden, PARAMETERS)):
            weights = self.normal(f"3D_module/{scope}/weights", (rows, columns), rows**-0.5)
            layers.append((weights, self.normal(f"3D_module/{scope}/biases", (columns,), 0.2)))
        mean = self.normal("mean_param", (1, PARAMETERS), 0.5)
        theta = self.tf.tile(mean, [self.tf.shape(features)[0], 1])
        for _ in range(3):
            y = self.tf.concat([features, theta], 1)
            for number, (weights, biases) in enumerate(layers):
                y = self.tf.matmul(y, weights) + biases
                y = self.tf.nn.relu(y) if number < 2 else y
            theta = theta + y
        return theta
