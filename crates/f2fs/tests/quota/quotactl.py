import ctypes, os, struct
libc = ctypes.CDLL(None, use_errno=True)
DEVICE = b"/dev/ubda"
RECORD = "<8QI4x"

def quotactl(command, kind, id, buffer):
    result = libc.quotactl(ctypes.c_int(command << 8 | kind), DEVICE, id, buffer)
    return ctypes.get_errno() if result else 0

def set_limits(kind, id, space_hard, space_soft, inode_hard, inode_soft):
    """Space in KiB."""
    limits = struct.pack(RECORD, space_hard, space_soft, 0, inode_hard, inode_soft, 0, 0, 0, 5)
    assert quotactl(0x800008, kind, id, limits) == 0

def tell(kind):
    """One line for each id: kind, id, space, inodes, limits, times."""
    id = 0
    while True:
        buffer = ctypes.create_string_buffer(72)
        if quotactl(0x800009, kind, id, buffer):
            return
        bh, bs, space, ih, isoft, inodes, bt, it, _, id = struct.unpack("<8QII", buffer.raw)
        print("quota", kind, id, space, inodes, bh, bs, ih, isoft, bt, it)
        id += 1

def tell_all():
    os.sync()
    for kind in range(3):
        tell(kind)

def as_user(uid, work):
    """The error number that some work of a user ends with, or 0."""
    pid = os.fork()
    if pid == 0:
        os.setgid(uid)
        os.setuid(uid)
        try:
            work()
        except OSError as error:
            os._exit(error.errno)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
