"""A host of the plugin interface in Python, in its plainest form: ctypes, one channel, NumPy arrays. For tests and benchmarks that compare a
compiled plugin with a Python library. One call at a time, no thread pool, no other host service."""

import ctypes as c
import pathlib

import numpy as np

TYPE_F64, TYPE_I64, TYPE_BOOL, TYPE_ENUM, TYPE_STRING, TYPE_PATH = 1, 2, 3, 4, 5, 6
SAMPLE_OK, SAMPLE_FAILED, SAMPLE_OUT_OF_DOMAIN, SAMPLE_NOT_FINITE = 0, 1, 2, 3
_LATENT_DTYPES = {1: np.float32, 2: np.int32, 3: np.int64}
_MAX_NDIM = 8
_P = c.c_void_p


def _struct(name, *fields):
    return type(name, (c.Structure,), {"_fields_": fields})


def _function(result, *arguments):
    return c.CFUNCTYPE(result, *arguments)


class _Host(c.Structure):
    pass


_SetError = _function(None, c.POINTER(_Host), c.c_char_p)
_GetService = _function(_P, c.POINTER(_Host), c.c_char_p)
_Host._fields_ = [("abi_major", c.c_uint32), ("abi_minor", c.c_uint32), ("name", c.c_char_p), ("version", c.c_char_p),
                  ("set_error", _SetError), ("get_service", _GetService), ("context", _P)]
_Tensor = _struct("Tensor", ("data", _P), ("device_type", c.c_int32), ("device_index", c.c_int32), ("ndim", c.c_int32),
                  ("code", c.c_uint8), ("bits", c.c_uint8), ("lanes", c.c_uint16), ("shape", _P), ("strides", _P),
                  ("byte_offset", c.c_uint64))
_Parameter = _struct("Parameter", ("id", c.c_char_p), ("unit", c.c_char_p), ("doc", c.c_char_p), ("default_text", c.c_char_p),
                     ("choices", _P), ("choice_count", c.c_uint32), ("type", c.c_int32), ("flags", c.c_uint32), ("reserved", c.c_uint32),
                     ("default_f64", c.c_double), ("min_f64", c.c_double), ("max_f64", c.c_double), ("default_i64", c.c_int64),
                     ("min_i64", c.c_int64), ("max_i64", c.c_int64))
_Value = _struct("Value", ("id", c.c_char_p), ("type", c.c_int32), ("reserved", c.c_int32), ("f64", c.c_double), ("i64", c.c_int64),
                 ("text", c.c_char_p))
_Latent = _struct("Latent", ("id", c.c_char_p), ("unit", c.c_char_p), ("doc", c.c_char_p), ("prior", c.c_char_p), ("count_of", c.c_char_p),
                  ("dtype", c.c_int32), ("flags", c.c_uint32))
_LatentShape = _struct("LatentShape", ("active", c.c_int32), ("ndim", c.c_int32), ("extent", c.c_int64 * _MAX_NDIM))
_ConfigureArgs = _struct("ConfigureArgs", ("struct_size", c.c_uint64), ("next", _P), ("x_shape", _P), ("x_ndim", c.c_int32),
                         ("value_count", c.c_uint32), ("values", _P))
_ConfigureResult = _struct("ConfigureResult", ("struct_size", c.c_uint64), ("next", _P), ("latent_shapes", _P), ("latent_count", c.c_uint32),
                           ("y_ndim", c.c_int32), ("y_shape", c.c_int64 * _MAX_NDIM), ("workspace_bytes", c.c_uint64),
                           ("workspace_bytes_per_sample", c.c_uint64), ("canonical", c.c_char_p))
_Batch = _struct("Batch", ("struct_size", c.c_uint64), ("next", _P), ("key", c.c_uint64), ("ids", _P), ("count", c.c_int64),
                 ("sample_status", _P), ("workspace", _P), ("workspace_bytes", c.c_uint64), ("device_type", c.c_int32),
                 ("device_index", c.c_int32), ("stream", _P))
# x, latents and one output: simulate, mean and lift share this layout; draw_latents ends before the output.
_CallArgs = _struct("CallArgs", ("struct_size", c.c_uint64), ("next", _P), ("x", _P), ("latents", _P), ("latent_count", c.c_uint32),
                    ("reserved", c.c_uint32), ("y", _P))
_Call = _function(c.c_int32, _P, c.POINTER(_Batch), c.POINTER(_CallArgs))
# vjp: x, cotangent, gradient; loglik: y, x, values, gradient.
_VjpArgs = _struct("VjpArgs", ("struct_size", c.c_uint64), ("next", _P), ("x", _P), ("latents", _P), ("latent_count", c.c_uint32),
                   ("reserved", c.c_uint32), ("cotangent", _P), ("gradient", _P))
_LoglikArgs = _struct("LoglikArgs", ("struct_size", c.c_uint64), ("next", _P), ("y", _P), ("x", _P), ("latents", _P),
                      ("latent_count", c.c_uint32), ("reserved", c.c_uint32), ("loglik", _P), ("gradient", _P))
_Core = _struct("Core", ("create", _function(c.c_int32, c.POINTER(_Host), c.POINTER(_P))), ("destroy", _function(None, _P)),
                ("parameter_count", _function(c.c_uint32, _P)), ("parameter", _function(c.POINTER(_Parameter), _P, c.c_uint32)),
                ("latent_count", _function(c.c_uint32, _P)), ("latent", _function(c.POINTER(_Latent), _P, c.c_uint32)),
                ("configure", _function(c.c_int32, _P, c.POINTER(_ConfigureArgs), c.POINTER(_ConfigureResult))),
                ("draw_latents", _Call), ("simulate", _Call), ("get_extension", _function(_P, _P, c.c_char_p)))
_Module = _struct("Module", ("abi_major", c.c_uint32), ("abi_minor", c.c_uint32), ("init", _function(c.c_int32, c.POINTER(_Host))),
                  ("shutdown", _function(None)), ("channel_count", _function(c.c_uint32)),
                  ("channel_descriptor", _function(_P, c.c_uint32)), ("get_table", _function(_P, c.c_uint32, c.c_char_p)))


class PluginError(RuntimeError):
    """A call that did not answer OK: `status`, and what the plugin said."""

    def __init__(self, call, status, text):
        super().__init__(f"{call}: status {status}: {text}")
        self.status = status


class Channel:
    """One channel of a plugin; `configure` first. Arrays are [B, *shape]; ids number the samples."""

    def __init__(self, library, channel=0):
        self._library = c.CDLL(str(pathlib.Path(library)))
        self._library.unchannel_entry.restype = c.POINTER(_Module)
        self._module = self._library.unchannel_entry(c.c_uint32(1), c.c_uint32(0)).contents
        self._error = ""
        self._set_error = _SetError(lambda _, text: setattr(self, "_error", text.decode()))
        self._get_service = _GetService(lambda *_: None)
        self._host = _Host(1, 0, b"test", b"0", self._set_error, self._get_service, None)
        self._check("init", self._module.init(c.byref(self._host)))
        self._core = c.cast(self._module.get_table(channel, b"core/1"), c.POINTER(_Core)).contents
        self._instance = _P()
        self._check("create", self._core.create(c.byref(self._host), c.byref(self._instance)))
        self.latents = [self._core.latent(self._instance, i).contents for i in range(self._core.latent_count(self._instance))]
        self.sample_status = None

    def close(self):
        self._core.destroy(self._instance)
        self._module.shutdown()

    def configure(self, x_shape, **parameters):
        count = self._core.parameter_count(self._instance)
        values = (_Value * count)()
        for i, value in enumerate(values):
            about = self._core.parameter(self._instance, i).contents
            value.id, value.type = about.id, about.type
            value.f64, value.i64, value.text = about.default_f64, about.default_i64, about.default_text
            if about.id.decode() in parameters:
                given = parameters.pop(about.id.decode())
                if about.type == TYPE_F64:
                    value.f64 = given
                elif about.type in (TYPE_I64, TYPE_BOOL):
                    value.i64 = int(given)
                else:
                    value.text = str(given).encode()
        if parameters:
            raise KeyError(f"no such parameter: {', '.join(parameters)}")
        pointers = (_P * max(1, count))(*(c.addressof(value) for value in values))
        shapes = (_LatentShape * max(1, len(self.latents)))()
        shape_pointers = (_P * len(shapes))(*(c.addressof(shape) for shape in shapes))
        extents = (c.c_int64 * max(1, len(x_shape)))(*x_shape)
        args = _ConfigureArgs(c.sizeof(_ConfigureArgs), None, c.addressof(extents), len(x_shape), count, c.addressof(pointers))
        result = _ConfigureResult(c.sizeof(_ConfigureResult), None, c.addressof(shape_pointers), len(self.latents))
        self._check("configure", self._core.configure(self._instance, c.byref(args), c.byref(result)))
        self.y_shape = tuple(result.y_shape[:result.y_ndim])
        self._latent_shapes = [tuple(shape.extent[:shape.ndim]) if shape.active else None for shape in shapes[:len(self.latents)]]
        self.canonical = result.canonical.decode()

    def draw_latents(self, key, ids):
        """Every active latent, by name."""
        drawn = {latent.id.decode(): np.zeros((len(ids), *shape), _LATENT_DTYPES[latent.dtype])
                 for latent, shape in zip(self.latents, self._latent_shapes) if shape is not None}
        self._call("draw_latents", self._core.draw_latents, key, ids, None, drawn, None)
        return drawn

    def simulate(self, key, ids, x, latents):
        y = np.full((len(ids), *self.y_shape), 777, np.float32)
        self._call("simulate", self._core.simulate, key, ids, x, latents, y)
        return y

    def simulation(self, key, ids, x):
        """A function that draws the latents and simulates, always into the same y, which it returns: for timings, nothing but the calls."""
        latents = self.draw_latents(key, ids)
        y = np.full((len(ids), *self.y_shape), 777, np.float32)
        draw = self._prepared("draw_latents", _CallArgs, key, ids, latents, {}, self._core.draw_latents)
        simulate = self._prepared("simulate", _CallArgs, key, ids, latents, {"x": self._tensor(x), "y": self._tensor(y)}, self._core.simulate)

        def run():
            draw()
            simulate()
            return y

        return run

    def mean(self, x, latents):
        y = np.full((len(x), *self.y_shape), 777, np.float32)
        self._call("mean", self._extension("mean/1", _Call), 0, np.arange(len(x)), x, latents, y)
        return y

    def lift(self, y, latents):
        """To the shape of y: for channels whose x has that shape."""
        lifted = np.full_like(y, 777)
        self._call("lift", self._extension("lift/1", _Call), 0, np.arange(len(y)), y, latents, lifted)
        return lifted

    def vjp(self, x, cotangent, latents):
        gradient = np.full_like(x, 777)
        tensors = {"x": self._tensor(x), "cotangent": self._tensor(cotangent), "gradient": self._tensor(gradient)}
        self._batch_call("vjp", _VjpArgs, 0, np.arange(len(x)), latents, tensors)
        return gradient

    def loglik(self, y, x, latents):
        """Values [B] float64 and gradient by x."""
        values, gradient = np.full(len(x), 777.0), np.full_like(x, 777)
        tensors = {"y": self._tensor(y), "x": self._tensor(x), "gradient": self._tensor(gradient)}
        self._batch_call("loglik", _LoglikArgs, 0, np.arange(len(x)), latents, tensors, loglik=values.ctypes.data)
        return values, gradient

    def offers(self, extension):
        return bool(self._core.get_extension(self._instance, extension.encode()))

    def _extension(self, name, function):
        table = self._core.get_extension(self._instance, name.encode())
        if not table:
            raise PluginError(name, 0, "not offered")
        return c.cast(table, c.POINTER(function)).contents

    def _call(self, name, function, key, ids, x, latents, y):
        self._batch_call(name, _CallArgs, key, ids, latents, {"x": self._tensor(x), "y": self._tensor(y)}, function)

    def _batch_call(self, *arguments, **others):
        self.sample_status = self._prepared(*arguments, **others)()

    def _prepared(self, name, arguments, key, ids, latents, tensors, function=None, **others):
        """A call of `function`, or of the extension `name`/1, whose arguments have tensors and other fields by name. It returns the samples'
        status and may be repeated."""
        if function is None:
            function = self._extension(name + "/1", _function(c.c_int32, _P, c.POINTER(_Batch), c.POINTER(arguments)))
        ids = np.ascontiguousarray(ids, np.uint64)
        status = np.zeros(len(ids), np.int32)
        rows = [self._tensor(latents.get(latent.id.decode())) for latent in self.latents]
        pointers = (_P * max(1, len(rows)))(*(c.addressof(row[0]) if row else None for row in rows))
        batch = _Batch(c.sizeof(_Batch), None, key, ids.ctypes.data, len(ids), status.ctypes.data, None, 0, 1, 0, None)
        fields = {field: c.addressof(tensor[0]) for field, tensor in tensors.items() if tensor}
        args = arguments(struct_size=c.sizeof(arguments), latents=c.addressof(pointers), latent_count=len(rows), **fields, **others)

        def run():
            self._check(name, function(self._instance, c.byref(batch), c.byref(args)))
            return status

        run.borrowed = (ids, rows, pointers, tensors)  # the structs hold addresses only
        return run

    @staticmethod
    def _tensor(array):
        """The struct and what it borrows."""
        if array is None:
            return None
        if not array.flags.c_contiguous or array.dtype not in (np.float32, np.int32, np.int64):
            raise TypeError("tensors are C-contiguous float32, int32 or int64")
        shape = (c.c_int64 * array.ndim)(*array.shape)
        strides = (c.c_int64 * array.ndim)(*(stride // array.itemsize for stride in array.strides))
        code = 2 if array.dtype == np.float32 else 0
        tensor = _Tensor(array.ctypes.data, 1, 0, array.ndim, code, 8 * array.itemsize, 1, c.addressof(shape), c.addressof(strides), 0)
        return tensor, shape, strides, array

    def _check(self, call, status):
        if status != 0:
            raise PluginError(call, status, self._error)
