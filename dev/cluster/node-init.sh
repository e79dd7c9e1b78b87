#!/bin/bash
# The first process of a node: mounts what a machine of its own would have, then is containerd's parent until told to end.
# /var/lib, /var/log and /etc are the node's own and survive a crash, as a disk does; /run does not.
set -u
hostname "$NAME"
umount -l /proc; mount -t proc proc /proc
umount -l -R /sys; mount -t sysfs sysfs /sys
mount -t tmpfs -o mode=755 cgroup /sys/fs/cgroup
while read -r directory options; do
  mkdir -p "/sys/fs/cgroup/$directory"
  mount -t cgroup -o "$options" cgroup "/sys/fs/cgroup/$directory"
done <<< "$HIERARCHIES"
mount --bind "$DISK/lib" /var/lib
mount --bind "$DISK/log" /var/log
mount -t overlay -o "lowerdir=/etc,upperdir=$DISK/etc,workdir=$DISK/etc-work" etc /etc
mount -t tmpfs -o mode=755 run /run; mkdir -p /run/lock
# What a kubelet would set for the whole machine it finds set already, in files of this node only.
mkdir -p /run/sysctl
while read -r name value; do
  echo "$value" > "/run/sysctl/$name"
  mount --bind "/run/sysctl/$name" "/proc/sys/${name//.//}"
done <<< "vm.overcommit_memory 1
vm.panic_on_oom 0
kernel.panic 10
kernel.panic_on_oops 1
kernel.keys.root_maxkeys 1000000
kernel.keys.root_maxbytes 25000000"
mount --make-rshared /
trap 'kill -TERM $containerd 2> /dev/null; wait $containerd; exit 0' TERM INT
containerd --config /etc/containerd/config.toml > /var/log/containerd.log 2>&1 &
containerd=$!
while kill -0 $containerd 2> /dev/null; do wait -n $containerd 2> /dev/null; done
