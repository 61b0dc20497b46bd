"""Threads of a worker share few heaps of the C library."""

import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, re, sys, threading
if sys.argv[1] == "few":
    from pipeline.stream.malloc_tuning import use_few_arenas
    use_few_arenas()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
together = threading.Barrier(6)
def allocate():
    together.wait()
    libc.malloc(4096)
    together.wait()
threads = [threading.Thread(target=allocate) for _ in range(6)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
libc.fdopen.restype = ctypes.c_void_p
file = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, file)
libc.fclose(file)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="NOT TESTED: heaps are counted by glibc")
@pytest.mark.parametrize(("how", "heaps"), [("few", range(1, 3)), ("as shipped", range(3, 100))])
def test_threads_share_two_heaps(how, heaps):
    done = subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True)
    assert done.stdout.count("<heap nr=") in heaps
