#!/bin/sh
# Takes kommsync off this host. Keeps configuration, credentials and the store unless told otherwise.
#
#   uninstall.sh [--dry-run] [--purge]
#
#   --purge   also remove /etc/kommsync, /var/lib/kommsync* (store, history, backups!) and the users
#
# Without the store the next installation starts with a first sync: nothing is lost or doubled on either side, but the
# history is gone. Nothing is changed in EspoCRM or Advoware; the markers in Advoware's Bemerkungen stay and do no harm.
set -eu

dry_run=
purge=
for option in "$@"; do
    case $option in
    --dry-run) dry_run=yes ;;
    --purge) purge=yes ;;
    -h | --help) sed -n '2,/^set -eu/{/^#/s/^# \{0,1\}//p}' "$0" && exit 0 ;;
    *) echo "uninstall.sh: unknown: $option. Type: uninstall.sh --help" >&2 && exit 2 ;;
    esac
done
run() {
    printf '+ %s\n' "$*"
    [ -n "$dry_run" ] || "$@"
}
[ -n "$dry_run" ] || [ "$(id -u)" -eq 0 ] || {
    echo "uninstall.sh: must be root. To see what it would do: uninstall.sh --dry-run" >&2
    exit 1
}

units=$(systemctl list-unit-files --plain --no-legend 'kommsync.service' 'kommsync-backup.*' 2>/dev/null |
    cut -d ' ' -f 1)
instances=$(systemctl list-units --all --plain --no-legend 'kommsync@*' 'kommsync-backup@*' 2>/dev/null | cut -d ' ' -f 1)
enabled=$(find /etc/systemd/system -path '*.wants/kommsync*@*' -printf '%f\n' 2>/dev/null || true)
for unit in $(printf '%s\n' "$units" "$instances" "$enabled" | sort -u); do
    run systemctl disable --now --quiet "$unit"
done
for path in /etc/systemd/system/kommsync.service /etc/systemd/system/kommsync@.service \
    /etc/systemd/system/kommsync-backup*.service /etc/systemd/system/kommsync-backup*.timer \
    /etc/systemd/system/kommsync*.service.d/10-daemon.conf /etc/systemd/system/kommsync*.service.d/20-hardening.conf; do
    [ ! -e "$path" ] || run rm -- "$path"
done
# What you added by `systemctl edit` stays, and its directory with it.
run find /etc/systemd/system -maxdepth 1 -type d -name 'kommsync*.service.d' -empty -delete
run systemctl daemon-reload
run rm -f -- /usr/local/sbin/kommsync
run rm -rf -- /opt/kommsync /usr/local/share/doc/kommsync

if [ -z "$purge" ]; then
    echo "Kept: /etc/kommsync (configuration, credentials) and /var/lib/kommsync* (store, backups). To remove: --purge"
    exit 0
fi
for user in $(getent passwd | cut -d : -f 1 | grep -Ex 'kommsync(-[a-z0-9]+)?' || true); do
    run userdel "$user"
    run rm -rf -- "/var/lib/$user"
done
run rm -rf -- /etc/kommsync
run find /var/lib/systemd/timers -name 'stamp-kommsync-backup*.timer' -delete
