#!/bin/sh
# Dump the PostgreSQL database into DIRECTORY, check the dump, and delete all but the newest KEEP dumps named so.
# Usage: backup-postgresql.sh DIRECTORY KEEP [PG_DUMP_OPTION...]. PGHOST, PGUSER, PGDATABASE, PGPASSWORD as for psql.
set -eu
umask 077
directory=${1:?DIRECTORY is missing} keep=${2:?KEEP is missing}
shift 2
case $keep in *[!0-9]* | 0*) echo "KEEP: accepted: a whole number from 1" >&2; exit 2 ;; esac
[ -d "$directory" ] || { echo "There is no directory '$directory'." >&2; exit 2; }

file=$directory/planso-connector-$(date -u +%Y%m%dT%H%M%SZ).dump
trap 'rm -f "$file.part"' EXIT
# Row-level security applies to the tables' owner too; with this setting all workshops' rows are there.
PGOPTIONS="${PGOPTIONS:-} -c planso_connector.workshop=*" \
  pg_dump --enable-row-security --format=custom --file="$file.part" "$@"
pg_restore --list "$file.part" >/dev/null
mv "$file.part" "$file"
echo "$file: written and readable"

# By name, which is by time: the newest KEEP stay.
printf '%s\n' "$directory"/planso-connector-[0-9]*T[0-9]*Z.dump | sort -r | tail -n +"$((keep + 1))" |
  while IFS= read -r old; do
    rm -- "$old"
    echo "$old: deleted, $keep newer ones are kept"
  done
