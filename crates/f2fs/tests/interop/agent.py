# Runs inside the guest: obeys one command a line, and puts what it saw on the scratch device.
#
# The scratch device holds a pool of bytes that files are written from, then, at RESULT, the answer: its length in eight
# bytes and its text. Paths and values are percent-encoded.
import ctypes, errno, fcntl, hashlib, mmap, os, stat, struct, subprocess, sys, time
from urllib.parse import quote_from_bytes, unquote_to_bytes as raw

RESULT, MOUNT, SCRATCH = 16 << 20, b"/tmp/m", "/dev/ubda"
FLAGS = 0x4 | 0x8 | 0x10 | 0x20 | 0x40 | 0x80 | 0x400 | 0x1000 | 0x10000 | 0x20000000 | 0x40000000
LARGE = 64 << 20
TYPES = {stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "symlink", stat.S_IFCHR: "char",
         stat.S_IFBLK: "block", stat.S_IFIFO: "fifo", stat.S_IFSOCK: "socket"}
libc = ctypes.CDLL(None, use_errno=True)
pool = os.open(SCRATCH, os.O_RDWR)
answer, held, keys = [], [], []


def at(path):
    return os.path.join(MOUNT, raw(path).lstrip(b"/"))


def check(result):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def with_file(path, do, flags=os.O_RDWR):
    fd = os.open(at(path), flags)
    try:
        return do(fd)
    finally:
        os.close(fd)


def ioctl(path, number, arg=bytes(8), flags=os.O_RDWR):
    return with_file(path, lambda fd: fcntl.ioctl(fd, number, arg), flags)


def get_ioctl(fd, number, size):
    try:
        return fcntl.ioctl(fd, number, bytes(size))
    except OSError:
        return None


def statx(path):
    buffer = ctypes.create_string_buffer(256)
    check(libc.statx(-100, path, 0x100, 0xFFF, buffer))
    return buffer.raw


def when(x, offset):
    return "%d.%09d" % struct.unpack_from("<qI", x, offset)


def read_all(fd, digest):
    while chunk := os.read(fd, 1 << 20):
        digest.update(chunk)


def read_data(fd, size, digest):
    end = 0
    while end < size:
        try:
            start = os.lseek(fd, end, os.SEEK_DATA)
        except OSError:
            break
        end = os.lseek(fd, start, os.SEEK_HOLE)
        for pos in range(start, end, 4096):
            block = os.pread(fd, 4096, pos)
            if block.strip(b"\0"):
                digest.update(struct.pack("<Q", pos) + block)


def describe(path):
    x = statx(path)
    mask, links, uid, gid, mode = struct.unpack_from("<I12xIIIH", x, 0)
    size, blocks = struct.unpack_from("<QQ", x, 40)
    kind = TYPES[stat.S_IFMT(mode)]
    out = {"type": kind, "mode": "%o" % (mode & 0o7777), "uid": uid, "gid": gid, "size": size, "links": links,
           "blocks": blocks // 8, "atime": when(x, 64), "ctime": when(x, 96), "mtime": when(x, 112)}
    if mask & 0x800:
        out["crtime"] = when(x, 80)
    if kind in ("char", "block"):
        out["device"] = "%d:%d" % struct.unpack_from("<II", x, 128)
    if kind == "symlink":
        out["target"] = quote_from_bytes(os.readlink(path))
    names = sorted(os.listxattr(path, follow_symlinks=False))
    out["xattrs"] = ",".join(n + "=" + os.getxattr(path, n, follow_symlinks=False).hex() for n in names)
    if kind in ("file", "dir"):
        describe_open(path, kind, out)
    return out


def describe_open(path, kind, out):
    fd = os.open(path, os.O_RDONLY)
    flags = get_ioctl(fd, 0x80086601, 8)
    flags = struct.unpack_from("<I", flags)[0] & FLAGS
    out["flags"] = "%x" % flags
    version = get_ioctl(fd, 0x80087601, 8)
    out["generation"] = struct.unpack_from("<I", version)[0]
    project = get_ioctl(fd, 0x801C581F, 28)
    out["project"] = struct.unpack_from("<I", project, 12)[0]
    if kind == "file":
        digest = hashlib.sha256()
        if out["size"] > LARGE:
            read_data(fd, out["size"], digest)
        else:
            read_all(fd, digest)
        out["sha256"] = digest.hexdigest()
        if flags & 4:
            option, saved = get_ioctl(fd, 0x8002F515, 2), get_ioctl(fd, 0x8008F511, 8)
            out["compression"] = "%d:%d" % tuple(option) + ":%d" % struct.unpack("<Q", saved)
    os.close(fd)


def manifest(label):
    answer.append("== " + label)
    list_tree()


def list_tree():
    paths = [MOUNT]
    for folder, dirs, files in os.walk(MOUNT):
        paths += [os.path.join(folder, name) for name in dirs + files]
    for path in paths:
        try:
            found = describe(path)
        except OSError as error:
            error.filename = path
            raise
        fields = " ".join("%s=%s" % (k, v) for k, v in found.items())
        answer.append(quote_from_bytes(path[len(MOUNT):] or b"/") + " " + fields)


def mount(device, options="noatime"):
    os.makedirs(MOUNT, exist_ok=True)
    device = ctypes.c_char_p(device.encode())
    words = options.split(",")
    flags = 1024 * ("noatime" in words) + ("ro" in words)
    data = ",".join(word for word in words if word not in ("noatime", "ro", ""))
    check(libc.mount(device, MOUNT, b"f2fs", flags, data.encode()))


def create(path, mode, algorithm="-", log="0"):
    fd = os.open(at(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, int(mode, 8))
    if algorithm != "-":
        flags = struct.unpack_from("<I", fcntl.ioctl(fd, 0x80086601, bytes(8)))[0]
        fcntl.ioctl(fd, 0x40086602, struct.pack("<Q", flags | 4))
        fcntl.ioctl(fd, 0x4002F516, bytes([int(algorithm), int(log)]))
    os.close(fd)


def write(path, pos, length, source):
    pos, length, source = int(pos), int(length), int(source)
    done = with_file(path, lambda fd: os.pwrite(fd, os.pread(pool, length, source), pos))
    assert done == length


def map_write(path, pos, length, source):
    pos, length, source = int(pos), int(length), int(source)

    def do(fd):
        with mmap.mmap(fd, 0) as area:
            area[pos:pos + length] = os.pread(pool, length, source)
    with_file(path, do)


def fallocate(path, mode, pos, length):
    number = ctypes.c_int64
    with_file(path, lambda fd: check(libc.fallocate(fd, int(mode), number(int(pos)), number(int(length)))))


def remove_tree(path):
    for folder, dirs, files in os.walk(at(path), topdown=False):
        for name in files + [d for d in dirs if os.path.islink(os.path.join(folder, d))]:
            os.unlink(os.path.join(folder, name))
        for name in dirs:
            if not os.path.islink(os.path.join(folder, name)):
                os.rmdir(os.path.join(folder, name))
    os.rmdir(at(path))


def mknod(path, mode, major, minor):
    os.mknod(at(path), int(mode, 8), os.makedev(int(major), int(minor)))


def make_dir(path, mode):
    mode = int(mode, 8)
    os.mkdir(at(path), mode)
    if mode & 0o6000:
        os.chmod(at(path), mode)


def many(folder, count, name):
    for n in range(int(count)):
        os.close(os.open(os.path.join(at(folder), raw(name) + b"%d" % n), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o640))


def change_flags(path, on, off):
    def do(fd):
        flags = struct.unpack_from("<I", fcntl.ioctl(fd, 0x80086601, bytes(8)))[0]
        fcntl.ioctl(fd, 0x40086602, struct.pack("<Q", flags & ~int(off, 16) | int(on, 16)))
    with_file(path, do, os.O_RDONLY)


def flag_word(path, word):
    with_file(path, lambda fd: fcntl.ioctl(fd, 0x40086602, struct.pack("<Q", int(word, 16))), os.O_RDONLY)


def words():
    answer.append("== words")
    for folder, dirs, files in os.walk(MOUNT):
        for path in [os.path.join(folder, name) for name in dirs + files]:
            fd = os.open(path, os.O_RDONLY)
            word = struct.unpack_from("<I", fcntl.ioctl(fd, 0x80086601, bytes(8)))[0]
            os.close(fd)
            answer.append(quote_from_bytes(path[len(MOUNT):]) + " word=%x" % word)


def project(path, number):
    def do(fd):
        old = bytearray(fcntl.ioctl(fd, 0x801C581F, bytes(28)))
        struct.pack_into("<I", old, 12, int(number))
        fcntl.ioctl(fd, 0x401C5820, bytes(old))
    with_file(path, do, os.O_RDONLY)


def seal(path, algorithm="1", block="4096", salt=""):
    salt = ctypes.create_string_buffer(bytes.fromhex(salt), len(salt) // 2)
    where = ctypes.addressof(salt) if len(salt) else 0
    arg = struct.pack("<IIIIQIIQ", 1, int(algorithm), int(block), len(salt), where, 0, 0, 0) + bytes(88)
    ioctl(path, 0x40806685, arg, os.O_RDONLY)


def measures():
    answer.append("== measures")
    for folder, _, files in os.walk(MOUNT):
        for path in [os.path.join(folder, name) for name in files]:
            fd = os.open(path, os.O_RDONLY)
            arg = bytearray(struct.pack("<HH", 0, 64) + bytes(64))
            try:
                fcntl.ioctl(fd, 0xC0046686, arg, True)
            except OSError:
                continue
            finally:
                os.close(fd)
            algorithm, size = struct.unpack_from("<HH", arg)
            name = {1: "sha256", 2: "sha512"}[algorithm]
            answer.append(quote_from_bytes(path[len(MOUNT):]) + " digest=%s:%s" % (name, arg[4:4 + size].hex()))


def add_key():
    arg = bytearray(struct.pack("<II32xI36x", 2, 0, 64) + bytes(range(64)))
    fd = os.open(MOUNT, os.O_RDONLY)
    fcntl.ioctl(fd, 0xC0506617, arg, True)
    os.close(fd)
    keys[:] = [bytes(arg[8:24])]


def encrypt(path):
    ioctl(path, 0x800C6613, struct.pack("<BBBB4x16s", 2, 1, 4, 3, keys[0]), os.O_RDONLY)


def hold(path):
    held.append(os.open(at(path), os.O_RDWR))
    os.unlink(at(path))


def shell(text):
    subprocess.run(["bash", "-ec", raw(text).decode()], check=True, cwd=MOUNT)


def statfs():
    s = os.statvfs(MOUNT)
    answer.append("== statfs")
    answer.append("%d %d %d %d" % (s.f_blocks, s.f_bfree, s.f_files, s.f_ffree))


def fails(name, what, *args):
    try:
        COMMANDS[what](*args)
    except OSError as error:
        assert error.errno == getattr(errno, name), error
    else:
        raise AssertionError("no error")


def attempt(number, what, *args):
    if number == "0":
        answer.append("== attempts")
    try:
        COMMANDS[what](*args)
        result = 0
    except OSError as error:
        result = error.errno
    answer.append("%s errno=%d" % (number, result))


def extents(number, path):
    if number == "0":
        answer.append("== extents")
    fd = os.open(at(path), os.O_RDONLY)
    count, out = 400, []
    asked = bytearray(struct.pack("<QQIIII", 0, 2 ** 64 - 1, 1, 0, count, 0) + bytes(56 * count))
    fcntl.ioctl(fd, 0xC020660B, asked, True)
    for n in range(struct.unpack_from("<I", asked, 20)[0]):
        start, place, length, flags = struct.unpack_from("<QQQ16xI", asked, 32 + 56 * n)
        kind = "inline" if flags & 0x200 else "reserved" if flags & 0x800 else "compressed" if flags & 8 else place
        last = out[-1] if out else [0, 0, 0]
        follows = last[2] + last[1] if isinstance(kind, int) and isinstance(last[2], int) else last[2]
        if last[0] + last[1] == start and follows == kind:
            last[1] += length
        else:
            out.append([start, length, kind])
    blocks = [struct.unpack("<I", fcntl.ioctl(fd, 1, struct.pack("<I", n)))[0] for n in range(0, 200, 7)]
    os.close(fd)
    answer.append("%s path=%s extents=%s blocks=%s" % (
        number, path, ",".join("%d+%d:%s" % tuple(e) for e in out), ",".join(map(str, blocks))))


def rename_exchange(a, b):
    check(libc.renameat2(-100, at(a), -100, at(b), 2))


def drop_caches():
    with open("/proc/sys/vm/drop_caches", "w") as file:
        file.write("3")


def tmpfile(path, length, source):
    path = at(path)
    fd = os.open(os.path.dirname(path), os.O_TMPFILE | os.O_RDWR, 0o600)
    try:
        os.pwrite(fd, os.pread(pool, int(length), int(source)), 0)
        check(libc.linkat(fd, b"", -100, path, 0x1000))
        os.fsync(fd)
    finally:
        os.close(fd)


def mapper(number, data=b"", flags=0):
    # A request to the device mapper about the device named log; the layout is struct dm_ioctl.
    size = 312 + len(data)
    head = struct.pack("<IIIIIIiIIIQ", 4, 0, 0, size, 312, 1, 0, flags, 0, 0, 0) + b"log".ljust(264, b"\0")
    with open("/dev/mapper/control", "rb") as control:
        fcntl.ioctl(control, 0xC138FD00 | number, bytearray(head + data), True)


def leave():
    # Ends a mount that may not have come about.
    if os.path.ismount(MOUNT):
        check(libc.umount2(MOUNT, 0))


def mount_logged(device, log, options):
    with open(device, "rb") as file:
        sectors = file.seek(0, os.SEEK_END) // 512
    where = ("%s %s" % (device, log)).encode().ljust(64, b"\0")
    mapper(3)
    mapper(9, struct.pack("<QQiI16s", 0, sectors, 0, 0, b"log-writes") + where)
    mapper(6)
    mount("/dev/dm-0", options)


def umount_logged():
    while held:
        os.close(held.pop())
    check(libc.umount2(MOUNT, 0))
    mapper(4)


def mark(text):
    mapper(14, struct.pack("<Q", 0) + b"mark " + text.encode() + b"\0")


def settle():
    # Lets what is under way arrive, then makes it durable.
    time.sleep(0.01)
    fd = os.open("/dev/dm-0", os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


def alive():
    open(os.path.join(os.environ["WORK"], "alive"), "w").close()


def may(what, *args):
    # A mapping of a file that is too short is no error of the system.
    try:
        COMMANDS[what](*args)
    except (OSError, ValueError, IndexError):
        pass


def kernel_log():
    buffer = ctypes.create_string_buffer(1 << 18)
    length = libc.klogctl(4, buffer, len(buffer))
    return [line.split("] ", 1)[-1] for line in buffer.raw[:length].decode(errors="replace").splitlines()]


def recover(device, options):
    # Whatever fails is part of the answer.
    answer.append("== " + device)
    kernel_log()
    failed = 0
    try:
        mount(device, options)
        list_tree()
        free = os.statvfs(MOUNT)
        answer.append("statfs free=%d nodes=%d" % (free.f_bfree, free.f_ffree))
    except OSError as error:
        failed = "%d:%s" % (error.errno, quote_from_bytes(error.filename or b""))
    lines = "\n".join(line for line in kernel_log() if "F2FS-fs" in line or "WARNING" in line)
    answer.append("mount errno=%s log=%s" % (failed, quote_from_bytes(lines.encode())))


COMMANDS = {
    "mount": mount, "umount": lambda: check(libc.umount2(MOUNT, 0)), "manifest": manifest, "statfs": statfs,
    "create": create, "write": write, "mapwrite": map_write, "fallocate": fallocate,
    "truncate": lambda path, size: os.truncate(at(path), int(size)),
    "mkdir": make_dir, "mknod": mknod, "many": many,
    "symlink": lambda target, path: os.symlink(raw(target), at(path)),
    "link": lambda old, new: os.link(at(old), at(new), follow_symlinks=False),
    "rename": lambda old, new: os.rename(at(old), at(new)), "exchange": rename_exchange,
    "unlink": lambda path: os.unlink(at(path)), "rmdir": lambda path: os.rmdir(at(path)), "rmtree": remove_tree,
    "chmod": lambda path, mode: os.chmod(at(path), int(mode, 8)),
    "chown": lambda path, uid, gid: os.lchown(at(path), int(uid), int(gid)),
    "utime": lambda path, a, m: os.utime(at(path), ns=(int(a), int(m)), follow_symlinks=False),
    "setxattr": lambda path, name, value="": os.setxattr(at(path), name, bytes.fromhex(value), follow_symlinks=False),
    "rmxattr": lambda path, name: os.removexattr(at(path), name, follow_symlinks=False),
    "flags": change_flags, "flagword": flag_word, "measures": measures, "words": words, "project": project, "seal": seal, "key": add_key, "encrypt": encrypt, "hold": hold,
    "release": lambda path: ioctl(path, 0x8008F512), "reserve": lambda path: ioctl(path, 0x8008F513),
    "compress": lambda path: ioctl(path, 0xF518), "decompress": lambda path: ioctl(path, 0xF517),
    "pin": lambda path: ioctl(path, 0x4004F50D, struct.pack("<I", 1)),
    "gc": lambda: ioctl("/", 0x4004F506, struct.pack("<I", 1), os.O_RDONLY),
    "shutdown": lambda how: ioctl("/", 0x8004587D, struct.pack("<I", int(how)), os.O_RDONLY),
    "fsync": lambda path: with_file(path, os.fsync, os.O_RDONLY),
    "fdatasync": lambda path: with_file(path, os.fdatasync, os.O_RDONLY), "sync": os.sync, "dropcaches": drop_caches,
    "cut": lambda: libc.reboot(0x4321FEDC), "shell": shell, "fails": fails, "attempt": attempt, "extents": extents,
    "tmpfile": tmpfile, "mountlogged": mount_logged, "umountlogged": umount_logged, "mark": mark, "may": may,
    "recover": recover, "leave": leave, "alive": alive, "settle": settle,
}


def main(commands):
    os.umask(0)
    for line in open(commands):
        name, *args = line.split()
        try:
            COMMANDS[name](*args)
        except Exception as error:
            sys.exit("guest: %s: %r" % (line.strip()[:300], error))
    text = "\n".join(answer).encode() + b"\n"
    os.pwrite(pool, len(text).to_bytes(8, "little") + text, RESULT)
    os.fsync(pool)


main(sys.argv[1])
