#!/usr/bin/env bash
# Makes the golden files in data/ again: images by mkfs.f2fs, sload.f2fs and the real kernel, from
# which the test's own walk copies the blocks that it reads.
#
#   tests/golden/make.sh [NAME ...]
#
# Needs f2fs-tools, python3, setfattr and setfacl, and the oracle (../shared/oracle/guest from the
# repository's root, or F2FS_ORACLE).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../../../.." && pwd)
guest=${F2FS_ORACLE:-$root/../shared/oracle/guest}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
uuid=11111111-2222-3333-4444-555555555555
full=extra_attr,project_quota,inode_checksum,flexible_inline_xattr,quota,inode_crtime,lost_found
full+=,verity,sb_checksum,casefold,compression,encrypt

# quiet COMMAND...: shows the output only if the command fails.
quiet() { "$@" >"$tmp/log" 2>&1 || { tail -40 "$tmp/log" >&2; return 1; }; }

# image NAME SIZE MKFS-OPTION...
image() {
  truncate -s "$2" "$tmp/$1.img"
  quiet mkfs.f2fs -q -f -r -U "$uuid" -T 1700000000 "${@:3}" "$tmp/$1.img"
}

# in_guest NAME SCRIPT: runs the script of this folder under the kernel on the image.
in_guest() {
  cp "$here/listing.py" "$tmp/"
  "$guest" -w "$tmp" "$here/$2" "$tmp/$1.img" >"$tmp/$1.out"
}

# record NAME: lets the test walk the image and keep the blocks it reads.
record() {
  F2FS_GOLDEN_IMAGE="$tmp/$1.img" F2FS_GOLDEN_LISTING="$tmp/$1.list" \
    F2FS_GOLDEN_OUT="$here/data/$1.golden" \
    quiet cargo test -q -p f2fs-format --test golden -- --ignored record
}

make_one() {
  : >"$tmp/$1.list"
  case $1 in
    mkfs-plain) image "$1" 64M -l 'plain volume' ;;
    mkfs-full) image "$1" 128M -i -O "$full" -C utf8:strict ;;
    mkfs-sections) image "$1" 1G -s 4 -z 2 ;;
    mkfs-android) image "$1" 96M -g android ;;
    mkfs-4tib) image "$1" 4T ;;
    mkfs-320gib) image "$1" 320G -i ;;
    sload-ro)
      image "$1" 64M -O extra_attr,compression,ro
      make_tree "$tmp/tree"
      quiet sload.f2fs -f "$tmp/tree" -t / -T 1700000000 "$tmp/$1.img"
      ;;
    kernel-plain)
      image "$1" 64M
      in_guest "$1" plain.guest
      mv "$tmp/listing" "$tmp/$1.list"
      ;;
    kernel-normal-sum)
      image "$1" 64M
      in_guest "$1" normal-sum.guest
      mv "$tmp/listing" "$tmp/$1.list"
      ;;
    kernel-full)
      image "$1" 256M -i -O "$full" -C utf8
      in_guest "$1" full.guest
      mv "$tmp/listing" "$tmp/$1.list"
      ;;
    *) echo "unknown golden $1" >&2; exit 2 ;;
  esac
  record "$1"
  ls -l "$here/data/$1.golden"
}

make_tree() {
  mkdir -p "$1/dir/deeper"
  echo hello >"$1/hello.txt"
  python3 -c 'print("line of text\n" * 700)' >"$1/dir/text"
  ln -s hello.txt "$1/link"
  touch "$1/dir/deeper/empty"
}

all=(mkfs-plain mkfs-full mkfs-sections mkfs-android mkfs-4tib mkfs-320gib sload-ro
  kernel-plain kernel-normal-sum kernel-full)
[[ $# -gt 0 ]] && all=("$@")
for name in "${all[@]}"; do make_one "$name"; done
