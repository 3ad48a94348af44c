#!/bin/sh
# Makes the images without any registry: MySQL from the root of Debian sid that
# `tests/support/install.sh` keeps in the cache, Weir and the loader from a build of this machine.
# Prints the variables for the compose file and the tests:
#   env $(docker/offline.sh) docker-compose -f docker/compose.yaml up --no-build
#   env $(docker/offline.sh mysql) make test SERVERS=docker
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=${WEIR_CACHE:-/var/cache/weir}/mysql
profile=${WEIR_PROFILE:-debug} # WEIR_BIN: another Weir than that profile's, such as target/trained/weir
[ -x "$root/usr/sbin/mysqld" ] || { echo "no $root: run tests/support/install.sh first" >&2; exit 1; }

if ! docker image inspect weir-mysql:sid >/dev/null 2>&1; then
    tar -C "$root" -c --exclude='./proc/*' --exclude='./sys/*' --exclude='./dev/*' \
        --exclude='./tmp/*' --exclude='./var/lib/mysql/*' --exclude=./usr/share/doc . | docker import - weir-sid:root >&2
    docker build -q -t weir-mysql:sid -f - "$here/mysql" >&2 <<'DOCKERFILE'
FROM weir-sid:root
COPY entrypoint.sh /entrypoint.sh
ENTRYPOINT ["/bin/sh", "/entrypoint.sh"]
CMD ["mysqld"]
DOCKERFILE
fi
echo WEIR_MYSQL_IMAGE=weir-mysql:sid
[ "${1:-}" = mysql ] && exit 0

built=$here/../target/$profile
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
cp "${WEIR_BIN:-$built/weir}" "$here/loader/load.sh" "$here/loader/accounts.sql" "$context"
cp -r "$here/../rules" "$context/rules"
"$built/examples/demo" --sql 0 >"$context/g0.sql"
"$built/examples/demo" --sql 1 >"$context/g1.sql"
docker build -q -t weir:local -f - "$context" >&2 <<'DOCKERFILE'
FROM weir-sid:root
COPY weir /usr/local/bin/weir
COPY rules /etc/weir/rules
USER 65534
ENTRYPOINT ["/usr/local/bin/weir"]
CMD ["run", "--rules", "/etc/weir/rules/shop", "--listen", "0.0.0.0:6033"]
DOCKERFILE
docker build -q -t weir-loader:local -f - "$context" >&2 <<'DOCKERFILE'
FROM weir-sid:root
COPY g0.sql g1.sql load.sh accounts.sql /shop/
ENTRYPOINT ["/bin/sh", "/shop/load.sh"]
DOCKERFILE
echo WEIR_IMAGE=weir:local
echo WEIR_LOADER_IMAGE=weir-loader:local
