#!/bin/sh
# Installs kommsync on this host, or upgrades it. It may be run again at any time and never touches what you configured.
#
#   install.sh [--dry-run] [--firm NAME]... [--source SOURCE]
#
#   --dry-run   print every command, change nothing (needs no root)
#   --firm      set up kommsync@NAME.service instead of kommsync.service; may be given several times
#   --source    what pip installs: this checkout (the default), a wheel, or kommsync==1.2.3
#
# What lies where afterwards, owner and mode:
#   /opt/kommsync/releases/…       root 0755   one virtual environment per release; `current` points to one
#   /etc/kommsync/kommsync.toml    root:kommsync 0640   no secret in it
#   /etc/kommsync/credentials/     root 0700, files 0600   read by systemd alone (LoadCredential=)
#   /var/lib/kommsync              kommsync 0700   the store and its backups, made by systemd
#   /etc/systemd/system/kommsync*  root 0644
#   /usr/local/sbin/kommsync       root 0755   runs a command as the service runs
#   /usr/local/share/doc/kommsync  root 0755   README and runbooks
# With --firm NAME: /etc/kommsync/firms/NAME/…, /var/lib/kommsync-NAME, user kommsync-NAME.
set -eu
umask 022

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
source=$(CDPATH='' cd -- "$here/../.." && pwd)
dry_run=
firms=

usage() { sed -n '2,/^set -eu/{/^#/s/^# \{0,1\}//p}' "$0"; }
stop() {
    echo "install.sh: $1" >&2
    exit "${2:-1}"
}
run() {
    printf '+ %s\n' "$*"
    [ -n "$dry_run" ] || "$@"
}

while [ $# -gt 0 ]; do
    case $1 in
    --dry-run) dry_run=yes ;;
    --firm)
        [ $# -ge 2 ] || stop "--firm needs a name" 2
        echo "$2" | grep -Eqx '[a-z][a-z0-9]{0,20}' || stop "--firm $2: a to z and digits only, at most 21" 2
        [ "$2" != backup ] || stop "--firm backup: kommsync-backup is a unit already; take another name" 2
        firms="$firms $2" && shift
        ;;
    --source)
        [ $# -ge 2 ] || stop "--source needs a value" 2
        source=$2 && shift
        ;;
    -h | --help) usage && exit 0 ;;
    *) stop "unknown: $1. Type: install.sh --help" 2 ;;
    esac
    shift
done

[ ! -e "$source" ] || source=$(readlink -f -- "$source")
cd / # pip and venv want a working directory that root may enter

# --- may we? ---------------------------------------------------------------------------------------------------------
[ -n "$dry_run" ] || [ "$(id -u)" -eq 0 ] || stop "must be root. To see what it would do: install.sh --dry-run"
python=${PYTHON:-python3}
"$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    stop "$python with its venv module, 3.11 or newer, is needed (Debian: apt install python3-venv)"
version=$(systemctl --version | sed -n '1s/[^0-9]*\([0-9]*\).*/\1/p')
[ "${version:-0}" -ge 250 ] || stop "systemd 250 or newer is needed for directories of credentials, this is ${version:-none}"

# --- the program: a new environment next to the old one, then one atomic switch -----------------------------------------
releases=/opt/kommsync/releases
release=$releases/$(date -u +%Y%m%dT%H%M%SZ)
former=$(readlink -f /opt/kommsync/current 2>/dev/null || true)

run install -d -m 0755 /opt/kommsync "$releases"
run "$python" -m venv "$release"
run "$release/bin/python" -m pip install --quiet --disable-pip-version-check "$source"
run "$release/bin/kommsync" --help >/dev/null
run install -d -m 0755 "$release/libexec"
run install -m 0755 "$here/kommsync-backup" "$release/libexec/kommsync-backup"

# --- users, configuration, credentials: made if missing, never overwritten -----------------------------------------------
set_up() { # user, directory below /etc
    getent passwd "$1" >/dev/null ||
        run useradd --system --user-group --no-create-home --home-dir "/var/lib/$1" --shell /usr/sbin/nologin "$1"
    run install -d -m 0755 /etc/kommsync
    [ "$2" = /etc/kommsync ] || run install -d -m 0755 /etc/kommsync/firms "$2"
    [ -e "$2/kommsync.toml" ] ||
        run install -m 0640 -o root -g "$1" "$here/kommsync.toml.example" "$2/kommsync.toml"
    run install -d -m 0700 -o root -g root "$2/credentials" "$2/credentials/espocrm" "$2/credentials/advoware"
}
if [ -z "$firms" ]; then
    set_up kommsync /etc/kommsync
    units=" kommsync.service kommsync-backup.timer"
else
    units=
    for firm in $firms; do
        set_up "kommsync-$firm" "/etc/kommsync/firms/$firm"
        units="$units kommsync@$firm.service kommsync-backup@$firm.timer"
    done
fi

# --- units, command, documents ------------------------------------------------------------------------------------------
for unit in "$here"/kommsync*.service "$here"/kommsync*.timer; do
    run install -m 0644 "$unit" "/etc/systemd/system/$(basename "$unit")"
done
for drop_in in "$here"/kommsync*.service.d/*.conf; do
    run install -D -m 0644 "$drop_in" "/etc/systemd/system/$(basename "$(dirname "$drop_in")")/$(basename "$drop_in")"
done
run install -m 0755 "$here/kommsync-admin" /usr/local/sbin/kommsync
run install -d -m 0755 /usr/local/share/doc/kommsync/runbooks
run install -m 0644 "$here/../README.md" /usr/local/share/doc/kommsync/README.md
for page in "$here"/../../docs/runbooks/*.md; do
    run install -m 0644 "$page" "/usr/local/share/doc/kommsync/runbooks/$(basename "$page")"
done
run systemctl daemon-reload

# --- switch -------------------------------------------------------------------------------------------------------------
active=$(systemctl list-units --plain --no-legend --state=active 'kommsync.service' 'kommsync@*.service' \
    2>/dev/null | cut -d ' ' -f 1)
for unit in $active; do # a copy by the old program first: a newer one may migrate the store
    case $unit in
    kommsync.service) run systemctl start kommsync-backup.service ;;
    *) run systemctl start "kommsync-backup@${unit#kommsync@}" ;;
    esac
done
run ln -sfn "$release" /opt/kommsync/current.new
run mv -T /opt/kommsync/current.new /opt/kommsync/current
for unit in $active; do
    run systemctl restart "$unit" || stop "$unit does not start with the new release: journalctl -u $unit -e
To go back: ln -sfn $former /opt/kommsync/current && systemctl restart $unit
If it then refuses the store as too new, restore the copy made a minute ago as README.md describes."
done

# The release in use, the one before it and nothing older.
find "$releases" -mindepth 1 -maxdepth 1 -type d ! -path "$release" ! -path "$former" 2>/dev/null |
    while IFS= read -r old; do run rm -rf -- "$old"; done

[ -z "$active" ] || exit 0
cat <<NEXT

Installed, not started. What is left to do:
  1. fill in /etc/kommsync/kommsync.toml (with --firm: /etc/kommsync/firms/NAME/kommsync.toml, and a port of its own)
  2. one file per secret, mode 0600: credentials/espocrm/api_key, credentials/advoware/password, credentials/advoware/api_key
  3. kommsync check    says what is missing, with the remedy   (with --firm: kommsync @NAME check)
  4. kommsync plan     shows what the first sync would write, without writing
  5. systemctl enable --now$units
NEXT
