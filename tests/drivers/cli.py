"""The command-line clients: batch, source, LOAD DATA LOCAL, compression, and a terminal.

    cli.py VARIANT PROGRAM [ARGUMENT...]

Prints a transcript that is the same on one plain server and through Weir. Lines that begin with
`#` are not compared.
"""
import os
import pty
import re
import select
import subprocess
import sys
import time

VARIANT, PROGRAM = sys.argv[1], sys.argv[2:]
ENV = os.environ
SCRATCH = ENV["WEIR_SCRATCH"]
LOGIN = [
    "--no-defaults",
    "-h", ENV["WEIR_HOST"],
    "-P", ENV["WEIR_PORT"],
    "-u", ENV["WEIR_USER"],
    "-p" + ENV["WEIR_PASSWORD"],
]
if VARIANT == "mysql":
    LOGIN.append("--get-server-public-key")
    # MariaDB's accounts have mysql_native_password only, which is a plugin since MySQL 9.
    LOGIN.append("--plugin-dir=" + os.path.join(os.path.dirname(ENV["WEIR_MYSQL_BIN"]), "lib/mysql/plugin"))
NO_TLS = ["--ssl-mode=DISABLED"] if VARIANT == "mysql" else ["--skip-ssl"]
TLS = ["--ssl-mode=VERIFY_CA", "--ssl-ca=" + ENV["WEIR_CA"]] if VARIANT == "mysql" else ["--ssl-ca=" + ENV["WEIR_CA"]]


def say(text):
    print(text.replace(SCRATCH, "SCRATCH"), flush=True)


def mask(text):
    text = re.sub(r"^(Connection id:\s+)\d+", r"\1N", text, flags=re.M)
    text = re.sub(r"^(TCP port:\s+)\d+", r"\1N", text, flags=re.M)
    text = re.sub(r"^(Uptime:\s+).*", r"\1N", text, flags=re.M)
    text = re.sub(r"^Threads: .*", "Threads: N", text, flags=re.M)
    text = re.sub(r"(Your \w+ connection id is )\d+", r"\1N", text)
    # Which cipher two TLS libraries agree on is theirs.
    text = re.sub(r"Cipher in use is \S+", "Cipher in use is X", text)
    # Each server counts these for itself, and a merged result has no server's memory of them.
    text = re.sub(r"^(Max_length: ).*", r"\1N", text, flags=re.M)
    # MariaDB's extended metadata is not offered by Weir.
    text = text.replace(" (format=json)", "")
    # The account's host is a pattern on a server; Weir's refusals name their code.
    text = text.replace("'@'127.0.0.1'", "'@'%'")
    text = re.sub(r" \[weir:\w+\]", "", text)
    text = re.sub(r"(CONNECTION_ID\(\) = )\d+", r"\1N", text)
    # Times of statements.
    return re.sub(r"\(?\d+\.\d+ sec\)?", "T", text).replace(" (T)", " T")


def batch(title, sql, *options, schema="shop"):
    say(f"== {title}")
    done = subprocess.run(
        PROGRAM + LOGIN + list(options) + ([schema] if schema else []),
        input=sql.encode(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120,
    )
    text = mask(done.stdout.decode("utf-8", "replace"))
    text = re.sub(r"^.*Using a password on the command line.*\n", "", text, flags=re.M)
    say(text.rstrip("\n"))
    say(f"exit {done.returncode}")


class Terminal:
    """The client in a terminal, as a person has it."""

    def __init__(self, *options):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "dumb"
            os.environ["HOME"] = SCRATCH
            os.environ["COLUMNS"] = "500"
            argv = PROGRAM + LOGIN + list(options) + ["--prompt=READY> ", "--table", "shop"]
            os.execvp(argv[0], argv)

    def read_until(self, wanted, seconds=30):
        seen = b""
        end = time.time() + seconds
        while time.time() < end:
            ready, _, _ = select.select([self.fd], [], [], 0.4)
            if ready:
                try:
                    part = os.read(self.fd, 65536)
                except OSError:
                    break
                if not part:
                    break
                seen += part
            # The terminal may echo a prompt before the answer: what counts is that it is quiet.
            elif seen.endswith(wanted):
                return seen.decode("utf-8", "replace")
        raise SystemExit(f"no {wanted!r} in {seconds} s, but {seen!r}")

    def type(self, text):
        os.write(self.fd, text.encode())

    def ask(self, line, seconds=30):
        self.type(line + "\n")
        return self.clean(self.read_until(b"READY> ", seconds))

    @staticmethod
    def clean(text):
        text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text).replace("\r", "").replace("\a", "")
        # Whether the terminal or the client echoes a line is a race.
        lines = mask(text).splitlines()
        # What is typed is echoed once or twice: only answers count.
        lines = [line for line in lines if not re.match(r"(READY> ?|\^C)*(SELECT|use|\\\\)", line)]
        return "\n".join(line for n, line in enumerate(lines) if n == 0 or line != lines[n - 1])

    def close(self):
        self.type("\\q\n")
        os.waitpid(self.pid, 0)


version = subprocess.run(PROGRAM + ["--no-defaults", "--version"], stdout=subprocess.PIPE, check=True)
name = " ".join(version.stdout.decode().split())
say("# " + re.sub(r"^.*/", "", name.split(" for ")[0]))

ROWS = """SELECT * FROM users WHERE user_id = 7;
SELECT user_id, name, level FROM users WHERE user_id IN (1, 2, 3, 17) ORDER BY user_id;
SELECT count(*), sum(balance), max(born) FROM users;
SELECT * FROM regions ORDER BY region_id LIMIT 3;
SELECT code, percent FROM coupons ORDER BY code LIMIT 3;
SELECT o.order_id, o.total, u.name FROM orders o JOIN users u ON u.user_id = o.user_id WHERE u.user_id = 7 ORDER BY 1;
"""
batch("rows as a table, with what is said of the columns", ROWS, "--table", "--column-type-info")
batch("rows, vertical", "SELECT * FROM items WHERE item_id = 20\\G SHOW WARNINGS\\G", )
batch("rows as XML", "SELECT user_id, name, score FROM users WHERE user_id = 7;", "--xml")
batch("rows as HTML", "SELECT user_id, born FROM users WHERE user_id < 4 ORDER BY user_id;", "--html")
batch("an unbuffered, long result", "SELECT * FROM orders ORDER BY order_id;", "--quick")
batch("status", "\\s", "--table")
batch("status over TLS", "\\s", "--table", *TLS)
batch("status without TLS", "\\s", "--table", *NO_TLS)
batch("no schema", "SELECT DATABASE(); SELECT 1 FROM shop.users WHERE user_id = 7;", schema="information_schema")
batch("an unknown schema", "SELECT 1;", schema="nothing")
COMPRESS = ["--compression-algorithms=zlib"] if VARIANT == "mysql" else ["--compress"]
batch("compressed", "SELECT * FROM orders ORDER BY order_id; SELECT 1;\n\\s", "--table", *COMPRESS)
batch("compressed, a large statement",
      "SELECT length('%s') AS n;" % ("x" * 3_000_000), *COMPRESS)
batch("compressed over TLS", "SELECT * FROM users WHERE user_id = 7;", *COMPRESS, *TLS)
batch("errors go on with --force", "SELECT nosuch FROM users WHERE user_id = 7; SELECT 2; SELECT * FROM nowhere; SELECT 3;", "--force")
batch("errors stop", "SELECT 1; SELECT nosuch FROM users; SELECT 3;")
batch("warnings are shown", "SELECT CAST('7x' AS SIGNED); SELECT user_id FROM users WHERE user_id = 7 AND name <> 5;", "--show-warnings", "-v")
batch("another delimiter and a comment", "DELIMITER //\nSELECT 1; SELECT user_id FROM users WHERE user_id = 7//\nDELIMITER ;\n-- a comment\nSELECT 2;", "--comments")
batch("writes and their lines", """
INSERT INTO coupons VALUES ('CLI1', 5, 1, '2030-01-01'), ('CLI2', 5, 1, '2030-01-01');
INSERT IGNORE INTO coupons VALUES ('CLI1', 5, 1, '2030-01-01'), ('CLI3', 5, 1, '2030-01-01');
UPDATE coupons SET percent = percent + 1 WHERE code LIKE 'CLI%';
UPDATE coupons SET percent = percent WHERE code LIKE 'CLI%';
INSERT INTO coupons VALUES ('CLI1', 5, 1, '2030-01-01');
DELETE FROM coupons WHERE code LIKE 'CLI%';
INSERT INTO users (user_id, name, email, region_id, registered_at) VALUES (700001, 'a', 'b', 1, '2030-01-01');
INSERT INTO users (user_id, name, email, region_id, registered_at) VALUES (700001, 'a', 'b', 1, '2030-01-01');
UPDATE users SET name = 'c' WHERE user_id = 700001;
SELECT name FROM users WHERE user_id = 700001;
DELETE FROM users WHERE user_id = 700001;
""", "-vvv", "--force")

path = os.path.join(SCRATCH, "source.sql")
with open(path, "w", encoding="utf-8") as file:
    file.write("SELECT 'sourced' AS what;\nSELECT name FROM users WHERE user_id = 9;\nUSE shop\nSELECT DATABASE();\n")
batch("source", f"source {path}\nSELECT 4;")

path = os.path.join(SCRATCH, "coupons.tsv")
with open(path, "w", encoding="utf-8") as file:
    for number in range(500):
        file.write(f"LOAD{number:04}\t{number % 50}\t{number}\t2030-01-01 00:00:00\n")
    file.write("LOADbad\tnotanumber\t1\t2030-01-01 00:00:00\n")
LOAD = f"LOAD DATA LOCAL INFILE '{path}'"
batch("LOAD DATA LOCAL", f"""SET sql_mode = '';
{LOAD} INTO TABLE coupons;
SHOW WARNINGS;
SELECT count(*), sum(percent), sum(uses_left) FROM coupons WHERE code LIKE 'LOAD%';
{LOAD} IGNORE INTO TABLE coupons FIELDS TERMINATED BY '\\t' LINES TERMINATED BY '\\n' (code, percent, uses_left, valid_until) SET uses_left = 1;
DELETE FROM coupons WHERE code LIKE 'LOAD%';
SELECT 5;
""", "--local-infile=1", "-vvv")
batch("LOAD DATA LOCAL of a file that isn't there", "LOAD DATA LOCAL INFILE '/nonexistent/file' INTO TABLE coupons; SELECT 6;",
      "--local-infile=1", "--force")
batch("LOAD DATA LOCAL into a table that isn't there", f"{LOAD} INTO TABLE nothing; SELECT 7;", "--local-infile=1", "--force")
batch("LOAD DATA LOCAL that the client forbids", f"{LOAD} INTO TABLE coupons; SELECT 8;", "--local-infile=0", "--force")

say("== in a terminal")
terminal = Terminal("--auto-rehash")
terminal.read_until(b"READY> ")
say(terminal.ask("SELECT user_id FROM users WHERE user_id = 7;"))
say(terminal.ask("use shop"))
say(terminal.ask("\\#"))
# Completion knows tables and columns from SHOW TABLES and COM_FIELD_LIST.
terminal.type("SELECT registered_\t")
time.sleep(0.5)
say(terminal.ask(" FROM users WHERE user_id = 7;"))
terminal.ask("SELECT count(*) FROM order_i\t;")
say(terminal.ask("\\s"))
started = time.time()
terminal.type("SELECT SLEEP(40) FROM users WHERE user_id = 1;\n")
time.sleep(2)
terminal.type("\x03")
seen = terminal.clean(terminal.read_until(b"READY> "))
say("interrupted" if time.time() - started < 15 else f"not interrupted: {seen}")
say("# " + " | ".join(seen.splitlines()))
say(terminal.ask("SELECT user_id FROM users WHERE user_id = 2;"))
# The same over all shards at once.
started = time.time()
terminal.type("SELECT count(SLEEP(1)) FROM users;\n")
time.sleep(2)
terminal.type("\x03")
terminal.read_until(b"READY> ")
say("interrupted" if time.time() - started < 15 else "not interrupted")
say(terminal.ask("SELECT user_id FROM users WHERE user_id = 3;"))
identity = terminal.ask("SELECT CONNECTION_ID();")
status = terminal.ask("SELECT user_id FROM users WHERE user_id = 3 AND CONNECTION_ID() = %s;"
                      % re.search(r"\| +(\d+) \|", identity).group(1))
say(status)
terminal.close()
