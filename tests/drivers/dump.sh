#!/bin/sh
# A dump tool: the dump of the shop, read again by a plain server and compared row by row there.
#
#   dump.sh VARIANT DUMP-PROGRAM CLIENT-PROGRAM     (each may be several words)
set -eu
variant=$1 dump=$2 client=$3
login="--no-defaults -h $WEIR_HOST -u $WEIR_USER -p$WEIR_PASSWORD"
root="--no-defaults -h 127.0.0.1 -P $WEIR_PLAIN_PORT -u root -proot"
extra=
if [ "$variant" = mysql ]; then
    plugins=$(dirname "$WEIR_MYSQL_BIN")/lib/mysql/plugin
    login="$login --plugin-dir=$plugins --get-server-public-key"
    root="$root --plugin-dir=$plugins"
    extra="--column-statistics=0 --no-tablespaces --set-gtid-purged=OFF"
fi
echo "# $($dump --version | sed 's|^[^ ]*/||')"

quiet() { "$@" 2>"$WEIR_SCRATCH/errors" || { cat "$WEIR_SCRATCH/errors"; echo "exit $?"; return 1; }; }
# A shard knows the counters of its own rows only.
same() { sed -E "s/ AUTO_INCREMENT=[0-9]+//; s/-- WARNING: can.t read the INFORMATION_SCHEMA.libraries.*//" | grep -v "^/\*M!999999"; }

reload() {
    database=reload_$WEIR_SIDE
    $client $root -e "DROP DATABASE IF EXISTS $database; CREATE DATABASE $database" 2>/dev/null
    $client $root "$database" <"$1" 2>"$WEIR_SCRATCH/errors" || { echo "the dump isn't read"; cat "$WEIR_SCRATCH/errors"; }
    for table in regions coupons items stock users orders order_items; do
        # Every column of every row, in order of the key.
        $client $root "$database" -N -e "SELECT * FROM $table ORDER BY 1" 2>/dev/null | md5sum | sed "s/-/$table/"
    done
    $client $root -e "DROP DATABASE $database" 2>/dev/null
}

file=$WEIR_SCRATCH/dump.sql
echo "== definitions and rows, in order of the keys"
quiet $dump $login -P "$WEIR_PORT" $extra --skip-lock-tables --skip-comments --order-by-primary --skip-extended-insert \
    --hex-blob --routines --events --triggers shop >"$file" || true
same <"$file" | md5sum
same <"$file" | grep -v '^INSERT'
reload "$file"

echo "== as a plain user calls it, with long INSERTs"
quiet $dump $login -P "$WEIR_PORT" $extra --skip-lock-tables --quick shop >"$file" || true
reload "$file"

echo "== in one transaction"
quiet $dump $login -P "$WEIR_PORT" $extra --single-transaction --skip-comments --order-by-primary shop >"$file" || true
same <"$file" | md5sum
reload "$file"

echo "== some tables, with --where"
quiet $dump $login -P "$WEIR_PORT" $extra --skip-lock-tables --skip-comments --order-by-primary --skip-extended-insert \
    --no-create-info "--where=user_id IN (3, 7, 9)" shop users orders >"$file" || true
same <"$file"

echo "== one table's rows as text"
quiet $dump $login -P "$WEIR_PORT" $extra --skip-lock-tables --skip-comments --no-create-info --compact \
    --complete-insert --order-by-primary shop regions >"$file" || true
same <"$file"

echo "== XML"
quiet $dump $login -P "$WEIR_PORT" $extra --skip-lock-tables --skip-comments --xml --no-create-info --order-by-primary \
    shop coupons >"$file" || true
md5sum <"$file"
