#!/usr/bin/python3
"""Writes order.tsv and totals.tsv: what a real server says of orders and totals.

    /usr/bin/python3 generate.py SOCKET     (PyMySQL; any scratch server that root may log in to)

The committed files come from MariaDB 10.11. Values are drawn from a fixed seed.
"""
import random
import sys

import pymysql

SEED = 20241122
SHARDS = 3

ORDERS = {
    "tinyint": ["-128", "127", "0", "-1", "1", None, "5"],
    "bigint": ["-9223372036854775808", "9223372036854775807", "0", "-1", "1", "10", "9", "-10", None],
    "bigint unsigned": ["18446744073709551615", "9223372036854775808", "9223372036854775807", "0", "1", None],
    "int(8) unsigned zerofill": ["42", "7", "4294967295", "0"],
    "year": ["0", "1901", "2155", "2000", None],
    "bit(12)": ["0", "1", "255", "256", "4095", "15", None],
    "bit(64)": ["0", "18446744073709551615", "9223372036854775808", "1"],
    "decimal(65,30)": [
        "0", "-0.000000000000000000000000000001", "0.000000000000000000000000000001",
        "99999999999999999999999999999999999.999999999999999999999999999999",
        "-99999999999999999999999999999999999.999999999999999999999999999999",
        "1.5", "1.50", "-1.5", "-1.55", "10", "9", "100", "0.1", "0.01", "-0.1", "-0.01", None],
    "decimal(5,2)": ["1.10", "1.1", "-1.1", "999.99", "-999.99", "0", "0.01", "-0.01"],
    "decimal(65,0)": ["9" * 65, "-" + "9" * 65, "1" + "0" * 64, "1", "0", None],
    "double": ["1e308", "-1e308", "5e-324", "-5e-324", "0", "1.5", "-1.5", "1e15", "1e16", "123456789.123",
               "0.1", "1e-10", "-1e-10", None],
    "double(10,2)": ["1.25", "-1.25", "10.5", "9.75", "0"],
    "date": ["0000-00-00", "1000-01-01", "9999-12-31", "2024-02-29", "2024-03-01", "2024-00-00", None],
    "datetime": ["0000-00-00 00:00:00", "2024-01-01 00:00:00", "2024-01-01 23:59:59", "9999-12-31 23:59:59", None],
    "datetime(6)": ["2024-01-01 00:00:00.000001", "2024-01-01 00:00:00", "2024-01-01 00:00:00.1",
                    "2023-12-31 23:59:59.999999", None],
    "timestamp(3)": ["2024-01-01 00:00:00.001", "1970-01-02 00:00:00", "2037-12-31 23:59:59.999"],
    "time": ["-838:59:59", "838:59:59", "00:00:00", "-00:00:01", "00:00:01", "100:00:00", "99:59:59", "-100:00:00", None],
    "time(6)": ["-00:00:00.000001", "00:00:00.000001", "-838:59:59.000000", "01:02:03.5", "01:02:03.499999", "24:00:00"],
    "varbinary(20)": ["", "\0", "\0\0", "\0\u0001", "a", "a\0", "a\0b", "a\u0001", "a ", "aa", "\x7f", "b", None],
}

VALUES = {
    "int": lambda r: str(r.randint(-2**31, 2**31 - 1)),
    "bigint": lambda r: str(r.randint(-2**63, 2**63 - 1)),
    "bigint unsigned": lambda r: str(r.randint(0, 2**64 - 1)),
    "decimal(10,2)": lambda r: "%.2f" % r.uniform(-1e7, 1e7),
    "decimal(10,4)": lambda r: "%.4f" % r.uniform(-1e5, 1e5),
    "decimal(10,5)": lambda r: "%.5f" % r.uniform(-1e4, 1e4),
    "decimal(9,9)": lambda r: "%.9f" % r.uniform(-0.99, 0.99),
    "decimal(30,14)": lambda r: "%d.%014d" % (r.randint(-10**15, 10**15), r.randint(0, 10**14 - 1)),
    "decimal(65,30)": lambda r: "%d.%030d" % (r.randint(-10**34, 10**34), r.randint(0, 10**30 - 1)),
    "decimal(65,38)": lambda r: "%d.%038d" % (r.randint(-10**26, 10**26), r.randint(0, 10**38 - 1)),
    "decimal(65,0)": lambda r: str(r.randint(-10**65 + 1, 10**65 - 1)),
    # Quarters add up exactly in any order.
    "double": lambda r: str(r.randint(-2**40, 2**40) / 4),
    "double(12,3)": lambda r: str(r.randint(-2**30, 2**30) / 8),
    "float": lambda r: str(r.randint(-2**14, 2**14) / 4),
    "date": lambda r: "%04d-%02d-%02d" % (r.randint(1000, 9999), r.randint(1, 12), r.randint(1, 28)),
    "time": lambda r: "%s%d:%02d:%02d" % (r.choice(["", "-"]), r.randint(0, 837), r.randint(0, 59), r.randint(0, 59)),
}
NUMBERS = ("int", "bigint", "bigint unsigned", "decimal", "double", "float")


def field(value):
    """A value as a field of the file: hex, or NULL."""
    if value is None:
        return "NULL"
    return "x" + (value if isinstance(value, bytes) else value.encode("latin1")).hex()


def query(connection, sql):
    """Rows as raw text bytes, and (type, unsigned, decimals, collation) of each column."""
    connection.query(sql)
    result = connection._result
    columns = [(f.type_code, bool(f.flags & 32), f.scale, f.charsetnr) for f in result.fields]
    return result.rows, columns


def shape(column):
    type_code, unsigned, decimals, collation = column
    return "%d\t%d\t%d\t%d" % (type_code, unsigned, decimals, collation)


def write_orders(connection, out):
    out.write("# sql type, wire type, unsigned, decimals, collation, dense rank, value as text\n")
    for sql_type, values in ORDERS.items():
        cursor = connection.cursor()
        cursor.execute("create or replace table o (v %s)" % sql_type)
        for value in values:
            if sql_type.startswith("bit"):
                value = None if value is None else int(value)
            cursor.execute("insert into o values (%s)", (value.encode("latin1") if sql_type.startswith("varb") and value is not None else value,))
        rows, columns = query(connection, "select v, dense_rank() over (order by v) from o order by v")
        for value, rank in rows:
            out.write("%s\t%s\t%s\t%s\n" % (sql_type, shape(columns[0]), rank, field(value)))


def write_totals(connection, out):
    r = random.Random(SEED)
    out.write("# sql type, function, wire type, unsigned, decimals, collation, total, then of each "
              "shard the partial (for avg: sum,count)\n")
    for sql_type, draw in VALUES.items():
        for case in range(6):
            cursor = connection.cursor()
            cursor.execute("create or replace table a (s int, v %s)" % sql_type)
            count = [0, 1, 3, 7, 40, 11][case]
            for _ in range(count):
                value = None if r.random() < 0.2 else draw(r)
                cursor.execute("insert into a values (%s, %s)", (r.randrange(SHARDS), value))
            functions = ["count", "min", "max"]
            if sql_type.startswith(NUMBERS):
                functions += ["sum", "avg"]
            if sql_type in ("int", "bigint", "bigint unsigned"):
                functions += ["bit_and", "bit_or", "bit_xor"]
            for function in functions:
                try:
                    (total,), columns = query(connection, "select %s(v) from a" % function)
                    partials = []
                    for shard in range(SHARDS):
                        if function == "avg":
                            ((a, b),), pair = query(connection, "select sum(v), count(v) from a where s = %d" % shard)
                            partials.append(field(a) + "," + field(b))
                            sum_shape = shape(pair[0])
                        else:
                            (value,), _ = query(connection, "select %s(v) from a where s = %d" % (function, shard))
                            partials.append(field(value[0]))
                except pymysql.err.MySQLError as error:
                    print("skipped:", sql_type, function, error)
                    continue
                name = function if function != "avg" else "avg:" + sum_shape.replace("\t", ":")
                out.write("\t".join([sql_type, name, shape(columns[0]), field(total[0])] + partials) + "\n")


def main():
    connection = pymysql.connect(unix_socket=sys.argv[1], user="root", charset="latin1")
    connection.decoders = {}
    cursor = connection.cursor()
    cursor.execute("create or replace database weir_generate")
    cursor.execute("use weir_generate")
    cursor.execute("set sql_mode='ALLOW_INVALID_DATES', time_zone='+00:00'")
    with open("order.tsv", "w") as out:
        write_orders(connection, out)
    with open("totals.tsv", "w") as out:
        write_totals(connection, out)
    cursor.execute("drop database weir_generate")


main()
