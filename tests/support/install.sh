#!/bin/sh
# Brings what tests, demo and benches need: Debian packages, and Oracle's MySQL from Debian sid.
#
#   install.sh           MariaDB (required) and MySQL 9 (skipped loudly where it can't be had)
#   install.sh demo      a MySQL or MariaDB server, whichever is there already
#   install.sh bench     MariaDB, sysbench, HAProxy
#   install.sh mysqltest MariaDB's own test files and their client, beside the cache (apt, no root)
#
# Needs root for what is missing, nothing for what is there. WEIR_CACHE moves the cache.
set -eu

say() { echo "install: $*" >&2; }

have() {
    PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null 2>&1
}

cache() {
    if [ -n "${WEIR_CACHE:-}" ]; then
        echo "$WEIR_CACHE"
    elif mkdir -p /var/cache/weir 2>/dev/null && [ -w /var/cache/weir ]; then
        echo /var/cache/weir
    else
        echo "$HOME/.cache/weir"
    fi
}

apt_updated=
apt() {
    if [ "$(id -u)" != 0 ]; then
        say "missing: $*. As root: apt-get install -y --no-install-recommends $*"
        return 1
    fi
    export DEBIAN_FRONTEND=noninteractive
    # A package's own service must not start: it would take the standard port.
    if [ -z "$apt_updated" ]; then
        apt-get update -q >&2 || say "apt-get update failed; going on with the lists that are there"
        apt_updated=yes
    fi
    apt-get install -y -q --no-install-recommends "$@" >&2
}

# want PROGRAM PACKAGE...: installs the packages where the program is missing.
want() {
    program=$1
    shift
    have "$program" || apt "$@"
}

mariadb() {
    want mariadbd mariadb-server-core
    want mariadb-install-db mariadb-server-core
    want mariadb mariadb-client-core
    want mariadb-dump mariadb-client
}

# The root of Debian sid with mysql-server in it; built aside, under a lock, and renamed.
mysql_sid() {
    root=$(cache)/mysql
    [ -x "$root/usr/sbin/mysqld" ] && return 0
    if [ "$(id -u)" != 0 ]; then
        say "SKIPPED: MySQL 9: debootstrap needs root"
        return 1
    fi
    want debootstrap debootstrap || return 1
    mkdir -p "$(cache)"
    exec 9>"$(cache)/.lock"
    flock 9
    [ -x "$root/usr/sbin/mysqld" ] && return 0
    aside=$root.making
    rm -rf "$aside"
    say "debootstrap of Debian sid with mysql-server (about a minute)"
    mirror=${WEIR_DEBIAN_MIRROR:-http://deb.debian.org/debian}
    if ! debootstrap --variant=minbase --include=mysql-server sid "$aside" "$mirror" \
        >"$(cache)/debootstrap.log" 2>&1; then
        tail -5 "$(cache)/debootstrap.log" >&2
        rm -rf "$aside"
        say "SKIPPED: MySQL 9: Debian sid can't be had from $mirror (log: $(cache)/debootstrap.log)"
        return 1
    fi
    rm -rf "$aside/var/cache/apt/archives" "$aside/var/lib/apt/lists"
    mv "$aside" "$root"
    exec 9>&-
}

# MariaDB's client mysqltest and the files of its suite `main`, unpacked and not installed.
mysqltest() {
    folder=$(cache)/mysqltest
    [ -x "$folder/usr/bin/mariadb-test" ] && [ -d "$folder/usr/share/mysql/mysql-test/main" ] && return 0
    aside=$folder.making-$$
    rm -rf "$aside"
    mkdir -p "$aside/packages" "$aside/tree" || return 1
    fetch() { (cd "$aside/packages" && apt-get download -q mariadb-test mariadb-test-data libpcre2-posix3 >&2); }
    if ! fetch; then
        [ "$(id -u)" = 0 ] && apt-get update -q >&2
        fetch || { rm -rf "$aside"; say "SKIPPED: mysqltest: Debian's mariadb-test can't be had"; return 1; }
    fi
    for package in "$aside"/packages/*.deb; do
        dpkg-deb --fsys-tarfile "$package" | tar x -C "$aside/tree" --wildcards \
            ./usr/bin/mariadb-test './usr/lib/*/libpcre2-posix*' ./usr/share/mysql/mysql-test/main \
            ./usr/share/mysql/mysql-test/include ./usr/share/mysql/mysql-test/std_data 2>/dev/null || true
    done
    rm -rf "$folder"
    mv "$aside/tree" "$folder"
    rm -rf "$aside"
    [ -x "$folder/usr/bin/mariadb-test" ] || { say "SKIPPED: mysqltest: the package has no client"; return 1; }
}

case "${1:-test}" in
    test)
        # In docker mode the servers are containers; only the client programs are Debian's.
        if [ "${WEIR_SERVERS:-}" = docker ]; then
            want docker docker.io
            want mariadb mariadb-client-core
        else
            mariadb
            mysql_sid || say "MySQL 9 is left out of this run"
            want faketime faketime || say "clock jumps are left out of this run"
            mysqltest || say "MariaDB's own test files are left out of this run"
        fi
        ;;
    mysqltest) mysqltest ;;
    demo)
        if have mariadbd && have mariadb-install-db; then
            :
        elif [ -x "$(cache)/mysql/usr/sbin/mysqld" ]; then
            :
        else
            mariadb
        fi
        want mariadb mariadb-client-core
        ;;
    bench)
        mariadb
        want sysbench sysbench
        want haproxy haproxy
        want strace strace
        ;;
    *)
        say "unknown set: $1"
        exit 2
        ;;
esac
