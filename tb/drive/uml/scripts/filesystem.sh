# A file system is made, filled, mounted anew and checked; then blocks are written at random and read back with a checksum each.
set -e
disk=/dev/nvme0n1
mkfs.ext4 -q -F $disk
mount $disk /mnt
mkdir /mnt/files
for name in /usr/sbin/nvme /bin/busybox; do dd if=$name of=/mnt/files/$(basename $name) bs=64k count=12 2>/dev/null; done
(cd /mnt/files && sha256sum *) > /run/before
umount /mnt
mount $disk /mnt
(cd /mnt/files && sha256sum *) > /run/after
cmp /run/before /run/after && echo "files: equal"
umount /mnt
fsck.ext4 -f -n $disk > /run/fsck 2>&1 && echo "fsck: clean"
fio --name=write --filename=$disk --rw=randwrite --bs=4k --size=2m --io_size=1m --ioengine=io_uring --iodepth=16 --direct=1 --verify=crc32c \
    --clocksource=clock_gettime --randrepeat=1 --thread --output-format=terse > /run/fio
echo "fio: errors $(cut -d ';' -f 5 /run/fio)"
nvme list | tail -n 1
