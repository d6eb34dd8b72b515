#!/bin/sh
# A life of kommsync under a real systemd, from installation to removal; run by test_real_systemd.py inside the booted
# system. Prints `name: value` lines. $REPOSITORY: the checkout. /shared/environment: how to reach the simulators.
set -u
cd /
export PYTHON=/usr/bin/python3
systemd=$REPOSITORY/deploy/systemd
say() { printf '%s: %s\n' "$1" "$(printf '%s' "$2" | tr '\n' ' ')"; }
show() { systemctl show "$1" --property="$2" --value; }
wait_until() { # seconds, command…
    left=$(($1 * 5)) && shift
    while [ "$left" -gt 0 ]; do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.2
        left=$((left - 1))
    done
    return 1
}
# shellcheck disable=SC1091  # written by the test
. /shared/environment
configure() { # directory, port
    printf '[espocrm]\nurl = "%s"\n[advoware]\nkanzlei = "%s"\ndatabase = "%s"\nuser = "%s"\napp_id = "%s"\ndiscovery_url = "%s"\nsweep_interval_seconds = 2\n[sync]\nsettle_seconds = 0.2\n[web]\nport = %s\n' \
        "$KOMMSYNC_ESPOCRM__URL" "$KOMMSYNC_ADVOWARE__KANZLEI" "$KOMMSYNC_ADVOWARE__DATABASE" "$KOMMSYNC_ADVOWARE__USER" \
        "$KOMMSYNC_ADVOWARE__APP_ID" "$KOMMSYNC_ADVOWARE__DISCOVERY_URL" "$2" >"$1/kommsync.toml"
    (
        umask 077
        printf '%s\n' "$KOMMSYNC_ESPOCRM__API_KEY" >"$1/credentials/espocrm/api_key"
        printf '%s\n' "$KOMMSYNC_ADVOWARE__PASSWORD" >"$1/credentials/advoware/password"
        printf '%s\n' "$KOMMSYNC_ADVOWARE__API_KEY" >"$1/credentials/advoware/api_key"
    )
}

"$systemd/install.sh" --source "$SOURCE" >/shared/install.log 2>&1
installed=$?
say installed $installed
[ $installed -eq 0 ] || exit 1
say modes "$(stat -c '%U:%G:%a' /etc/kommsync/kommsync.toml /etc/kommsync/credentials /opt/kommsync /etc/systemd/system/kommsync.service)"
configure /etc/kommsync 9469
kommsync check >/shared/check.log 2>&1
say check $?

systemctl enable --quiet --now kommsync.service kommsync-backup.timer
say started "$(show kommsync ActiveState)"
say ready-text "$(show kommsync StatusText)"
say user "$(ps -o user= -p "$(show kommsync MainPID)")"
say watchdog "$(show kommsync WatchdogUSec)"
say exposure "$(systemd-analyze security --no-pager kommsync | sed -n 's/.*: \([0-9.]*\) .*/\1/p')"
wait_until 60 sh -c 'kommsync status | grep -Eq "\"clean\": *[1-9]"'
say synced $?
say store "$(stat -c '%U:%a' /var/lib/kommsync /var/lib/kommsync/kommsync.sqlite3)"
say journal-has-secret "$(journalctl -u kommsync --no-pager | grep -cF -e "$KOMMSYNC_ADVOWARE__PASSWORD" -e "$KOMMSYNC_ESPOCRM__API_KEY")"
say environment-has-secret "$(tr '\0' '\n' <"/proc/$(show kommsync MainPID)/environ" | grep -cF "$KOMMSYNC_ADVOWARE__PASSWORD")"

pid=$(show kommsync MainPID)
systemctl reload kommsync
wait_until 10 sh -c 'journalctl -u kommsync --no-pager | grep -q reloaded'
say reloaded $?
say same-process "$([ "$pid" = "$(show kommsync MainPID)" ] && echo yes)"
cp /etc/kommsync/kommsync.toml /shared/good.toml
echo 'nonsense = 1' >>/etc/kommsync/kommsync.toml
systemctl reload kommsync
wait_until 10 sh -c 'journalctl -u kommsync --no-pager | grep -q reload_refused'
say bad-reload-refused $?
say still-running "$(show kommsync ActiveState)"

systemctl restart kommsync
sleep 1
say wrong-configuration "$(show kommsync ActiveState) $(show kommsync ExecMainStatus) $(show kommsync NRestarts)"
cp /shared/good.toml /etc/kommsync/kommsync.toml
systemctl reset-failed kommsync
systemctl start kommsync
say corrected "$(show kommsync ActiveState)"

systemctl start kommsync-backup.service
say backup "$(show kommsync-backup Result) $(find /var/lib/kommsync/backup -name 'kommsync-*.sqlite3' | wc -l)"

mkdir -p /etc/systemd/system/kommsync.service.d
printf '[Service]\nWatchdogSec=2s\nRestartSec=1s\n' >/etc/systemd/system/kommsync.service.d/90-trial.conf
systemctl daemon-reload
systemctl restart kommsync
pid=$(show kommsync MainPID)
[ "$pid" -gt 1 ] || exit 1 # 0 would be ourselves
kill -STOP "$pid"
wait_until 20 sh -c "[ \"\$(systemctl show kommsync -p NRestarts --value)\" -ge 1 ] && systemctl -q is-active kommsync"
say watchdog-restarted $?
say watchdog-said "$(journalctl -u kommsync --no-pager | grep -c 'Watchdog timeout')"
pid=$(show kommsync MainPID)
[ "$pid" -gt 1 ] || exit 1
kill -KILL "$pid"
wait_until 20 sh -c "[ \"\$(systemctl show kommsync -p MainPID --value)\" != $pid ] && systemctl -q is-active kommsync"
say killed-and-restarted $?

"$systemd/install.sh" --source "$SOURCE" >/shared/upgrade.log 2>&1
say upgraded "$? $(show kommsync ActiveState) $(find /opt/kommsync/releases -mindepth 1 -maxdepth 1 | wc -l)"

"$systemd/install.sh" --firm mueller --source "$SOURCE" >/shared/firm.log 2>&1
configure /etc/kommsync/firms/mueller 9470
systemctl start kommsync@mueller
say second-firm "$(show kommsync@mueller ActiveState) $(ps -o user:20= -p "$(show kommsync@mueller MainPID)")"
kommsync @mueller status >/dev/null
say second-firm-status $?
systemctl start kommsync-backup@mueller
say second-firm-backup "$(show kommsync-backup@mueller Result)"

before=$(date +%s)
systemctl stop kommsync
say stopped "$(show kommsync Result) $([ $(($(date +%s) - before)) -le 10 ] && echo in-time)"
"$systemd/uninstall.sh" >/shared/uninstall.log 2>&1
say kept "$(find /var/lib/kommsync/kommsync.sqlite3 /etc/kommsync/kommsync.toml | wc -l)"
"$systemd/uninstall.sh" --purge >>/shared/uninstall.log 2>&1
say left-over "$(find /opt/kommsync /etc /var/lib /usr/local -name '*kommsync*' ! -name 90-trial.conf ! -name 'kommsync*.service.d' 2>/dev/null)"
journalctl --no-pager -u 'kommsync*' >/shared/journal.log 2>&1
