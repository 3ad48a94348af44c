#!/bin/sh
# Makes the service accounts everywhere, the replicas, and the shop's rows on both primaries.
# Started again over a loaded shop it changes nothing.
set -eu
export MYSQL_PWD="$MYSQL_ROOT_PASSWORD"

on() {
    host=$1
    shift
    mysql -h "$host" -uroot --default-character-set=utf8mb4 "$@"
}

for host in g0-primary g0-replica g1-primary g1-replica; do
    tries=0
    until on "$host" -e 'DO 1' 2>/dev/null; do
        tries=$((tries + 1))
        [ "$tries" -lt 120 ] || { echo "loader: $host takes no login" >&2; exit 1; }
        sleep 1
    done
    if [ -z "$(on "$host" -N -e "SELECT 1 FROM mysql.user WHERE user = 'weir'")" ]; then
        on "$host" </shop/accounts.sql
    fi
done

for group in g0 g1; do
    if [ -z "$(on "$group-replica" -e 'SHOW REPLICA STATUS')" ]; then
        # What the image itself wrote before is no part of what is replicated.
        on "$group-primary" -e 'RESET BINARY LOGS AND GTIDS'
        on "$group-replica" -e "RESET BINARY LOGS AND GTIDS;
            CHANGE REPLICATION SOURCE TO SOURCE_HOST='$group-primary', SOURCE_USER='repl',
                SOURCE_PASSWORD='repl', SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1;
            START REPLICA; SET PERSIST super_read_only = 1"
    fi
    if [ -z "$(on "$group-primary" -N -e "SHOW DATABASES LIKE 'shop\\_%'")" ]; then
        echo "loader: loading $group"
        on "$group-primary" <"/shop/$group.sql"
    fi
    on "$group-replica" -N -e "SELECT WAIT_FOR_EXECUTED_GTID_SET(
        '$(on "$group-primary" -N -e 'SELECT REPLACE(@@global.gtid_executed, "\n", "")')', 120)" >/dev/null
done
echo "loader: done"
