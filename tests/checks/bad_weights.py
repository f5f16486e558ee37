"""What users find, or somebody plants, in the place of weights; for tests of what has to refuse it."""

import os
import pickle
import struct
import zipfile
from pathlib import Path

import torch
from safetensors.torch import save_file

__all__ = ["BODIES", "Malicious", "write_bad_file"]

BODIES = {  # what servers send in place of a file, with a status that says that all is well
    "json": b'{"error":"quota"}',
    "bomjson": b"\xef\xbb\xbf" + b'{"error": {"code": 403, "message": "downloadQuotaExceeded"}}',
    "lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 537110000\n",
    "xml": b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code></Error>',
    "text": b"Not Found",
    "page": b"\n<!DOCTYPE html><html><title>Quota exceeded</title></html>",
    "bare page": b"\r\n<html><body>Too many users have downloaded this file</body></html>",
    "empty": b"",
    "huge safetensors header": struct.pack("<Q", 1 << 60) + b'{"w":{}}',
}


class Malicious:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def write_bad_file(way: str, path: Path, victim: Path, state: dict | None = None) -> None:
    """Write what is wrong in one way.

    Args:
        way: one of `BODIES`, or of those below.
        path: where to.
        victim: the folder that code in the file makes.
        state: the weights that would be right, in files that hold more or are cut short.
    """
    state = state or {"w": torch.zeros(1000)}
    if way in BODIES:
        path.write_bytes(BODIES[way])
    elif way == "folder":
        path.mkdir()
    elif way in ("code in zip", "code in old format"):
        torch.save(state | {"extra": Malicious(victim)}, path, _use_new_zipfile_serialization=way == "code in zip")
    elif way == "plain pickle":
        path.write_bytes(pickle.dumps({"state_dict": Malicious(victim)}))
    elif way == "truncated":
        torch.save(state, path)
        path.write_bytes(path.read_bytes()[:-700])
    elif way == "truncated old format":
        torch.save(state, path, _use_new_zipfile_serialization=False)
        path.write_bytes(path.read_bytes()[:200])
    elif way == "truncated safetensors":
        save_file(state, path)
        path.write_bytes(path.read_bytes()[:-5])
    elif way == "other zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("readme.txt", "hello")
    elif way == "script module":
        torch.jit.script(torch.nn.Linear(2, 2)).save(str(path))
    elif way == "list":
        torch.save([torch.zeros(2)], path)
    else:
        raise ValueError(f"there is no way '{way}' to spoil a file")
