"""Empties the machine code of all GPUs but one kind in a shared library of CUDA code, so that it packs small.

    slim_provider.py LIBRARY OUT ARCHITECTURE      for example 90 (Hopper)

ONNX Runtime's CUDA provider has code for six kinds: 165 MB packed, 39 with one of them. The layout stays as it is; the
driver never looks at the code that was emptied. For carrying to a machine whose GPU is known, not for users.
"""
import struct
import sys

CONTAINER = 0xBA55ED50
MACHINE_CODE = 2


def section(data, wanted):
    offset, = struct.unpack_from("<Q", data, 40)
    size, count, names = struct.unpack_from("<HHH", data, 58)
    table = [struct.unpack_from("<IIQQQQ", data, offset + i * size) for i in range(count)]
    for name, _, _, _, at, length in table:
        text = table[names][4] + name
        if data[text:data.index(b"\0", text)] == wanted:
            return at, at + length
    sys.exit(f"no section {wanted.decode()}")


def main():
    data = bytearray(open(sys.argv[1], "rb").read())
    at, end = section(data, b".nv_fatbin")
    kept = emptied = 0
    while at < end:
        magic, _, head, length = struct.unpack_from("<IHHQ", data, at)
        if magic != CONTAINER:  # padding between containers
            at += 8
            continue
        entry, at = at + head, at + head + length
        while entry < at:
            kind, _, entry_head, size = struct.unpack_from("<HHIQ", data, entry)
            architecture, = struct.unpack_from("<I", data, entry + 28)
            if kind == MACHINE_CODE and architecture == int(sys.argv[3]):
                kept += 1
            else:
                data[entry + entry_head:entry + entry_head + size] = bytes(size)
                emptied += 1
            entry += entry_head + size
    open(sys.argv[2], "wb").write(data)
    print(f"{kept} pieces of code kept, {emptied} emptied")


main()
