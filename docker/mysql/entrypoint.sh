#!/bin/sh
# What the official image's entrypoint does, as far as the compose file needs it: initialise an
# empty data directory with root's password, then run the server.
set -eu
data=/var/lib/mysql
mkdir -p /var/run/mysqld /var/lib/mysql-files
if [ ! -d "$data/mysql" ]; then
    rm -rf "${data:?}"/*
    cat >/tmp/init.sql <<SQL
ALTER USER root@localhost IDENTIFIED BY '$MYSQL_ROOT_PASSWORD';
CREATE USER root@'%' IDENTIFIED BY '$MYSQL_ROOT_PASSWORD';
GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;
SQL
    mysqld --no-defaults --user=root --skip-log-bin --initialize-insecure --datadir="$data" \
        --init-file=/tmp/init.sql
fi
[ "${1:-}" = mysqld ] && shift
exec mysqld --no-defaults --user=root --datadir="$data" --bind-address=0.0.0.0 "$@"
