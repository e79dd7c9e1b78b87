#!/bin/bash
# Becomes the first process of a node: joins the node's control groups, enters its network namespace, makes all its other
# namespaces and goes on as node-init.sh. Environment: NAME (node's name), GROUP (control group), NETNS, DISK (its disk).
set -eu
for hierarchy in $(awk '$3 == "cgroup" { print $2 }' /proc/mounts); do
  mkdir -p "$hierarchy/$GROUP"
  if [ -f "$hierarchy/$GROUP/cpuset.cpus" ]; then
    for file in cpuset.cpus cpuset.mems; do cat "$hierarchy/$file" > "$hierarchy/$GROUP/$file"; done
  fi
  echo $$ > "$hierarchy/$GROUP/cgroup.procs"
done
# As "directory options", for the node to mount anew: it then sees its own group as the root.
HIERARCHIES=$(awk '$3 == "cgroup" { n = split($2, part, "/"); print part[n], (part[n] == "systemd" ? "none,name=systemd" : part[n]) }' /proc/mounts)
export HIERARCHIES
exec nsenter --net="/run/netns/$NETNS" unshare --mount --pid --uts --ipc --cgroup --fork --kill-child \
  --propagation private /bin/bash "$(dirname "$0")/node-init.sh"
