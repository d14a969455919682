"""What may not happen while a fit goes on on a device: no value is read, nothing is moved."""

import copy

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from spectralunmix.nmf.data import Spectra

READS = {
    "item",
    "_local_scalar_dense",
    "is_nonzero",
    "equal",
    "nonzero",
    "masked_select",
    "_unique2",
    "_linalg_check_errors",
}
METHODS = {"numpy", "tolist", "cpu", "__array__"}  # which torch does not dispatch
COPIES = {"_to_copy", "copy_"}


class LeftTheDevice(Exception):
    """A value was read, or a tensor moved."""


class Resident:
    """A context in which all that would make a device wait is noted, and `found` has its names.

    strict : whether that is an error
    """

    def __init__(self, strict=True):
        self.found = []
        self.strict = strict
        self._modes = [_Operations(self._note), _Methods(self._note)]

    def _note(self, name):
        self.found.append(name)
        if self.strict:
            raise LeftTheDevice(name)

    def __enter__(self):
        for mode in self._modes:
            mode.__enter__()
        return self

    def __exit__(self, *error):
        for mode in reversed(self._modes):
            mode.__exit__(*error)


class _Operations(TorchDispatchMode):
    def __init__(self, note):
        super().__init__()
        self.note = note

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs, name = kwargs or {}, func.overloadpacket.__name__
        if name in READS or (name in COPIES and _moves(args, kwargs)) or _masks(name, args):
            self.note(name)
        return func(*args, **kwargs)


class _Methods(TorchFunctionMode):
    def __init__(self, note):
        super().__init__()
        self.note = note

    def __torch_function__(self, func, types, args=(), kwargs=None):
        name = getattr(func, "__name__", "")
        if name in METHODS:
            self.note(name)
        return func(*args, **(kwargs or {}))


def _moves(args, kwargs):
    """Whether a copy goes to another device."""
    devices = {arg.device for arg in args if isinstance(arg, torch.Tensor)}
    return len(devices | ({torch.device(kwargs["device"])} if kwargs.get("device") else set())) > 1


def _masks(name, args):
    """Whether an index is a mask, of which the number of entries is to be found."""
    indices = args[1] if name in ("index", "index_put_", "index_put") else ()
    return any(index is not None and index.dtype in (torch.bool, torch.uint8) for index in indices)


def imagined(step, *of):
    """The step on tensors without values, which lie on a device that this machine has not.

    Whatever comes of it lies there too: it is an error to mix it with what lies elsewhere.
    """
    with FakeTensorMode():
        return step(*(_moved(each) for each in of))


def _moved(thing):
    """The same on that device."""
    if isinstance(thing, torch.Tensor):
        return torch.empty(thing.shape, dtype=thing.dtype, device="meta")
    if isinstance(thing, torch.device):
        return torch.device("meta")
    if isinstance(thing, tuple):
        parts = [_moved(each) for each in thing]
        return type(thing)(*parts) if hasattr(thing, "_fields") else tuple(parts)
    if isinstance(thing, Spectra):
        moved = copy.copy(thing)
        vars(moved).update({name: _moved(each) for name, each in vars(thing).items()})
        return moved
    return thing
