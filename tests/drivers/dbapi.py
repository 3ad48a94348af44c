"""The Python clients behind DB-API 2: one program, three drivers.

    dbapi.py pymysql | mysqlclient | mysql_connector_python

Prints a transcript that is the same on one plain server and through Weir.
"""
import datetime
import decimal
import os
import sys
import threading
import time

DRIVER = sys.argv[1]
ENV = os.environ
BASE = {
    "host": ENV["WEIR_HOST"],
    "port": int(ENV["WEIR_PORT"]),
    "user": ENV["WEIR_USER"],
    "password": ENV["WEIR_PASSWORD"],
}
SCRATCH = ENV["WEIR_SCRATCH"]


def variants():
    """Name and connect function of each way to use the driver."""
    if DRIVER == "pymysql":
        import pymysql
        from pymysql.constants import CLIENT

        ca = {"ssl": {"ca": ENV["WEIR_CA"], "check_hostname": False}}

        def connect(**more):
            return pymysql.connect(**{**BASE, "database": "shop", "autocommit": True, **more})

        from importlib.metadata import version

        print("# PyMySQL", version("PyMySQL"))
        yield "plain", connect, pymysql
        yield "TLS", lambda **more: connect(**ca, **more), pymysql
        yield "multi", lambda **more: connect(**{"client_flag": CLIENT.MULTI_STATEMENTS, **more}), pymysql
        yield "latin1", lambda **more: connect(charset="latin1", **more), pymysql
    elif DRIVER == "mysqlclient":
        import MySQLdb

        def connect(**more):
            return MySQLdb.connect(**{**BASE, "database": "shop", "autocommit": True, "charset": "utf8mb4", **more})

        print("# mysqlclient", ".".join(map(str, MySQLdb.version_info[:3])), "on", MySQLdb.get_client_info())
        yield "plain", connect, MySQLdb
        yield "compressed", lambda **more: connect(compress=True, **more), MySQLdb
    else:
        import mysql.connector as connector

        def connect(**more):
            return connector.connect(**{**BASE, "database": "shop", "autocommit": True, **more})

        print("# mysql-connector-python", connector.__version__, "C extension:", connector.HAVE_CEXT)
        yield "pure", lambda **more: connect(use_pure=True, **more), connector
        yield "pure, compressed", lambda **more: connect(use_pure=True, compress=True, **more), connector
        yield "pure, TLS", lambda **more: connect(use_pure=True, ssl_ca=ENV["WEIR_CA"], **more), connector
        if connector.HAVE_CEXT:
            yield "C extension", lambda **more: connect(use_pure=False, **more), connector


def show(value):
    if isinstance(value, (bytes, bytearray)):
        return "bytes " + bytes(value).hex()
    if isinstance(value, (datetime.datetime, datetime.date, decimal.Decimal, set)):
        return f"{type(value).__name__} {value}"
    return repr(value)


def rows(found):
    return " | ".join(", ".join(show(value) for value in row) for row in found)


class Steps:
    def __init__(self, connection, module):
        self.connection, self.module = connection, module

    def ask(self, sql, values=None, many=False):
        cursor = self.connection.cursor()
        try:
            if many:
                cursor.executemany(sql, values)
            elif values is None:
                cursor.execute(sql)
            else:
                cursor.execute(sql, values)
            if cursor.description is None:
                print(f"{sql[:70]} -> {cursor.rowcount} rows, id {cursor.lastrowid}")
                return None
            found = cursor.fetchall()
            names = [(column[0], column[1], column[6]) for column in cursor.description]
            print(f"{sql[:70]} -> {names} {len(found)} rows: {rows(found[:8])[:600]}")
            return found
        except self.module.Error as error:
            print(f"{sql[:70]} -> {type(error).__name__} {error.args[0]} {clean(error)}")
            return None
        finally:
            cursor.close()


    def key(self, sql, lines):
        """Which row lastrowid belongs to: the number itself differs."""
        cursor = self.connection.cursor()
        try:
            if len(lines) == 1:
                cursor.execute(sql, lines[0])
            else:
                cursor.executemany(sql, lines)
            key = cursor.lastrowid
            cursor.execute("SELECT line FROM order_items WHERE user_id = 7 AND id = %s", (key,))
            print(f"lastrowid of {len(lines)} rows: line {cursor.fetchall()}")
        except self.module.Error as error:
            print(f"lastrowid -> {type(error).__name__} {error.args[0]} {clean(error)}")
        finally:
            cursor.close()


def clean(error):
    text = str(error.args[-1] if len(error.args) < 3 else error.args[1])
    return text.split(" [weir:")[0].replace("'@'127.0.0.1'", "'@'%'")


def run(name, connect, module):
    print(f"== {name}")
    connection = connect()
    steps = Steps(connection, module)
    ask = steps.ask
    paramstyle = "%s"
    ask("SELECT DATABASE(), @@autocommit, @@character_set_client, @@collation_connection")
    ask("SELECT * FROM users WHERE user_id = 7")
    ask("SELECT user_id, name FROM users WHERE user_id = %s", (9,))
    ask("SELECT user_id, name FROM users WHERE user_id IN (%s, %s, %s) ORDER BY user_id", (1, "2", 17))
    ask("SELECT count(*), sum(balance), max(born), avg(score) FROM users WHERE user_id <= %s", (100,))
    ask("SELECT item_id, attributes, picture, weight_kg FROM items WHERE item_id < 4 ORDER BY item_id")
    ask("SELECT status, count(*) AS n FROM orders GROUP BY status ORDER BY status")
    ask("SELECT u.name, r.code FROM users u JOIN regions r ON r.region_id = u.region_id WHERE u.user_id = %s", (5,))
    ask("SELECT nosuch FROM users WHERE user_id = 7")
    ask("SELECT * FROM nothing")
    for key in range(800000, 800004):
        ask("DELETE FROM users WHERE user_id = %s", (key,))
    insert = "INSERT INTO users (user_id, name, email, region_id, registered_at, born, profile) VALUES (%s, %s, %s, %s, %s, %s, %s)"
    moment = datetime.datetime(2024, 2, 29, 13, 14, 15)
    ask(insert, (800000, "Ünï'\\ \"x\"", "a@b", 1, moment, datetime.date(1999, 12, 31), '{"a": 1}'))
    ask(insert, (800000, "twice", "a@b", 1, moment, None, None))
    # executemany makes one INSERT of many rows: they lie in shards of one group.
    ask(insert, [(800000 + n, f"n{n}", "x", 2, moment, None, None) for n in (1, 2, 3)], many=True)
    ask("SELECT user_id, name, registered_at, born, profile FROM users WHERE user_id IN (800000, 800001, 800002, 800003) ORDER BY user_id")
    ask("UPDATE users SET balance = balance + %s WHERE user_id = %s", (decimal.Decimal("1.50"), 800001))
    ask("UPDATE users SET balance = balance WHERE user_id = %s", (800001,))
    ask("SELECT balance FROM users WHERE user_id = 800001 FOR UPDATE")
    ask("DELETE FROM users WHERE user_id = %s", (800000,))
    insert = "INSERT INTO order_items (order_id, line, user_id, item_id, quantity, price) VALUES (810000, %s, 7, 1, 1, 1)"
    for lines in ([(1,)], [(2,), (3,), (4,)]):
        steps.key(insert, lines)
    ask("DELETE FROM order_items WHERE user_id = 7 AND order_id = 810000")
    ask("SELECT CAST('7x' AS SIGNED)")
    ask("SHOW WARNINGS")
    ask("SELECT @a := 5")
    ask("SELECT @a, CONNECTION_ID() = CONNECTION_ID()")
    ask("SHOW TABLES")
    ask("SHOW CREATE TABLE regions")
    # A transaction of one group.
    connection.begin() if hasattr(connection, "begin") else connection.start_transaction()
    ask("UPDATE users SET name = 'inside' WHERE user_id = 800001")
    connection.rollback()
    ask("SELECT name FROM users WHERE user_id = 800001")
    connection.begin() if hasattr(connection, "begin") else connection.start_transaction()
    ask("UPDATE users SET name = 'committed' WHERE user_id = 800001")
    connection.commit()
    ask("SELECT name FROM users WHERE user_id = 800001")
    # autocommit off, inside of one group.
    off = connection.autocommit
    off(False) if callable(off) else setattr(connection, "autocommit", False)
    ask("UPDATE users SET name = 'off' WHERE user_id = 800001")
    connection.rollback()
    ask("SELECT name FROM users WHERE user_id = 800001")
    connection.commit()
    off(True) if callable(off) else setattr(connection, "autocommit", True)
    for key in (800001, 800002, 800003):
        ask("DELETE FROM users WHERE user_id = %s", (key,))
    ask("SELECT length(%s) AS n", ("x" * 1_000_000,))
    ask("SELECT repeat('y', 3000000) AS y, 1 AS one") and print("long row read")
    connection.ping(False) if DRIVER != "mysql_connector_python" else connection.ping()
    load(steps, connect)
    special(name, connect, module, steps)
    connection.close()


def load(steps, connect):
    path = os.path.join(SCRATCH, "load.tsv")
    with open(path, "w", encoding="utf-8") as file:
        for number in range(40):
            file.write(f"PY{number:04}\t{number}\t{number}\t2030-01-01 00:00:00\n")
    option = "allow_local_infile" if DRIVER == "mysql_connector_python" else "local_infile"
    connection = connect(**{option: True})
    cursor = connection.cursor()
    cursor.execute(f"LOAD DATA LOCAL INFILE '{path}' INTO TABLE coupons")
    print("LOAD DATA LOCAL", cursor.rowcount)
    cursor.close()
    connection.close()
    steps.ask("SELECT count(*), sum(percent) FROM coupons WHERE code LIKE 'PY%'")
    steps.ask("DELETE FROM coupons WHERE code LIKE 'PY%'")


def special(name, connect, module, steps):
    if DRIVER == "pymysql":
        from pymysql import cursors

        connection = connect(cursorclass=cursors.SSCursor)
        with connection.cursor() as cursor:
            cursor.execute("SELECT order_id FROM orders ORDER BY order_id")
            print("unbuffered", cursor.fetchmany(5), sum(1 for _ in cursor))
        connection.close()
        connection = connect(cursorclass=cursors.DictCursor)
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM regions WHERE region_id = 1")
            print("dict", cursor.fetchall())
        connection.close()
        if name == "multi":
            connection = connect()
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1; SELECT user_id FROM users WHERE user_id = 7; SELECT nosuch; SELECT 3")
                try:
                    while True:
                        print("result", cursor.fetchall())
                        if not cursor.nextset():
                            break
                except module.Error as error:
                    print("error", error.args[0])
            connection.close()
        killing(connect, module)
    elif DRIVER == "mysqlclient":
        connection = connect()
        connection.query("SELECT 1; SELECT user_id FROM users WHERE user_id = 7; SELECT 3")
        while True:
            print("result", connection.store_result().fetch_row(0))
            if connection.next_result() != 0:
                break
        # COM_CHANGE_USER.
        connection.query("SET @x = 5, NAMES latin1")
        connection.change_user(BASE["user"], BASE["password"], "shop")
        connection.query("SELECT @x, DATABASE()")
        print("changed user", connection.store_result().fetch_row(0))
        connection.select_db("shop")
        print("info", connection.stat().split(":")[0], connection.get_server_info() == connection.get_server_info())
        connection.query("SELECT CAST('7x' AS SIGNED)")
        connection.store_result()
        print("warnings", connection.warning_count(), connection.show_warnings() if hasattr(connection, "show_warnings") else "")
        connection.close()
        killing(connect, module)
    else:
        prepared(connect, module)
        killing(connect, module)


def prepared(connect, module):
    connection = connect()
    cursor = connection.cursor(prepared=True)
    for key in (7, "8", 9.0, None):
        cursor.execute("SELECT user_id, name, balance, born, score FROM users WHERE user_id = ?", (key,))
        print("prepared", rows(cursor.fetchall()))
    cursor.close()
    cursor = connection.cursor(prepared=True)
    for key in (3, 30):
        cursor.execute("SELECT user_id, name FROM users WHERE user_id < ? ORDER BY user_id DESC LIMIT 3", (key,))
        print("prepared over shards", rows(cursor.fetchall()))
    cursor.close()
    cursor = connection.cursor(prepared=True)
    cursor.execute("UPDATE users SET name = ? WHERE user_id = ?", ("prepared", 999999999))
    print("prepared update", cursor.rowcount)
    cursor.close()
    cursor = connection.cursor(prepared=True)
    try:
        cursor.execute("SELECT nosuch FROM users WHERE user_id = ?", (1,))
        cursor.fetchall()
    except module.Error as error:
        print("prepared error", error.errno)
    cursor.close()
    cursor = connection.cursor(dictionary=True)
    cursor.execute("SELECT region_id, name FROM regions WHERE region_id < 3 ORDER BY 1")
    print("dict", cursor.fetchall())
    cursor.close()
    cursor = connection.cursor()
    cursor.execute("SET @x = 5, SESSION time_zone = '+05:00'")
    connection.cmd_reset_connection()
    cursor.execute("SELECT @x, @@time_zone <> '+05:00', DATABASE()")
    print("reset", cursor.fetchall())
    try:
        connection.cmd_change_user(BASE["user"], BASE["password"], "shop")
        cursor.execute("SELECT @x, DATABASE()")
        print("changed user", cursor.fetchall())
    except module.NotSupportedError as error:
        print("changed user", error)
    cursor.close()
    connection.close()
    pool = module.pooling.MySQLConnectionPool(pool_size=2, **{**BASE, "database": "shop"})
    for _ in range(5):
        member = pool.get_connection()
        cursor = member.cursor()
        cursor.execute("SELECT user_id FROM users WHERE user_id = 7")
        print("pool", cursor.fetchall())
        cursor.close()
        member.close()


def killing(connect, module):
    """KILL QUERY from another connection, the way drivers cancel."""
    connection = connect()
    own = connection.thread_id() if callable(getattr(connection, "thread_id", None)) else connection.connection_id
    cursor = connection.cursor()
    cursor.execute("SELECT CONNECTION_ID()")
    print("own id", cursor.fetchall()[0][0] == own)

    def kill():
        time.sleep(1)
        other = connect()
        other.cursor().execute(f"KILL QUERY {own}")
        other.close()

    thread = threading.Thread(target=kill)
    thread.start()
    start = time.time()
    try:
        cursor.execute("SELECT count(*) FROM users WHERE user_id = 1 AND SLEEP(20) = 0")
        cursor.fetchall()
    except module.Error as error:
        print("killed with", error.args[0])
    print("in time", time.time() - start < 10)
    thread.join()
    cursor.execute("SELECT user_id FROM users WHERE user_id = 2")
    print("alive", cursor.fetchall())
    cursor.close()
    connection.close()


for variant in variants():
    run(*variant)
