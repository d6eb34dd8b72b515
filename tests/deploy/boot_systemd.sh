#!/bin/sh
# Boots a systemd of its own over a throw-away copy of this machine: boot_systemd.sh FOLDER, as root, inside
#   unshare --mount --pid --fork --uts --ipc --cgroup --kill-child
# Nothing that happens in there reaches the disk of the host. FOLDER/shared can be seen from both sides as /shared.
set -eu
folder=$1

mount --make-rprivate /
mkdir -p "$folder/shared" "$folder/layers"
mount -t tmpfs tmpfs "$folder/layers"
mkdir "$folder/layers/upper" "$folder/layers/work" "$folder/layers/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/layers/upper,workdir=$folder/layers/work" "$folder/layers/root"
root=$folder/layers/root
mkdir -p "$root/shared" "$root/host"
mount --bind "$folder/shared" "$root/shared"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"

# Only what we test is started.
system=$root/etc/systemd/system
rm -rf "$system"/*.wants
printf '[Unit]\nRequires=basic.target\nAfter=basic.target\nAllowIsolate=yes\n' >"$system/trial.target"
for unit in systemd-udevd systemd-udev-trigger systemd-modules-load systemd-sysctl systemd-timesyncd systemd-resolved \
    systemd-networkd-wait-online systemd-random-seed e2scrub_reap; do
    ln -sf /dev/null "$system/$unit.service"
done

cd "$root"
pivot_root . host
mount --make-rshared / # or LoadCredential= is silently empty
umount -l /host
export container=trial
exec /lib/systemd/systemd --unit=trial.target --show-status=no --log-target=journal
