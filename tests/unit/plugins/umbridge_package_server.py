"""A linear model served by the real UM-Bridge Python package: F(x) = s A x, A[i, j] = 1 / (1 + i + 2 j), s from the configuration.

usage: umbridge_package_server.py PORT INPUT_SIZE[,INPUT_SIZE...] OUTPUT_SIZE[,OUTPUT_SIZE...]
"""
import os
import signal
import sys

import umbridge


class Linear(umbridge.Model):
    def __init__(self, input_sizes, output_sizes):
        super().__init__("linear")
        self.sizes = input_sizes, output_sizes

    def get_input_sizes(self, config):
        return self.sizes[0]

    def get_output_sizes(self, config):
        return self.sizes[1]

    def supports_evaluate(self):
        return True

    def supports_gradient(self):
        return True

    def supports_apply_jacobian(self):
        return True

    @staticmethod
    def entry(row, column, config):
        return config.get("scale", 1.0) / (1 + row + 2 * column)

    def offset(self, side, index):
        return sum(self.sizes[side][:index])

    def __call__(self, parameters, config):
        x = [value for vector in parameters for value in vector]
        if x[0] == 1001:
            raise RuntimeError("this model does not like 1001")
        if x[0] == 1002:
            x[0] = float("nan")
        if x[0] == 1003:
            return [[1.0]]
        rows = range(sum(self.sizes[1]))
        y = [sum(self.entry(row, column, config) * value for column, value in enumerate(x)) for row in rows]
        return [y[self.offset(1, k):self.offset(1, k + 1)] for k in range(len(self.sizes[1]))]

    def gradient(self, out_wrt, in_wrt, parameters, sens, config):
        rows, columns = self.offset(1, out_wrt), self.offset(0, in_wrt)
        return [sum(self.entry(rows + r, columns + c, config) * s for r, s in enumerate(sens)) for c in range(self.sizes[0][in_wrt])]

    def apply_jacobian(self, out_wrt, in_wrt, parameters, vec, config):
        rows, columns = self.offset(1, out_wrt), self.offset(0, in_wrt)
        return [sum(self.entry(rows + r, columns + c, config) * v for c, v in enumerate(vec)) for r in range(self.sizes[1][out_wrt])]


if __name__ == "__main__":
    sizes = [[int(size) for size in text.split(",")] for text in sys.argv[2:4]]
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    umbridge.serve_models([Linear(*sizes)], int(sys.argv[1]))
