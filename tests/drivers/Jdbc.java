// JDBC: Connector/J or MariaDB Connector/J behind HikariCP, in the ways that applications set them up.
//
//   java Jdbc mysql | mariadb
import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import java.io.ByteArrayInputStream;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.SQLWarning;
import java.sql.Statement;
import java.sql.Timestamp;
import java.sql.Types;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

public class Jdbc {
    static boolean isMysql;

    interface Work {
        void run() throws Exception;
    }

    static String env(String name) {
        return System.getenv(name);
    }

    static String url(String options) {
        String kind = isMysql ? "mysql" : "mariadb";
        String common = isMysql
                ? "allowPublicKeyRetrieval=true&connectionTimeZone=UTC&"
                : "allowPublicKeyRetrieval=true&timezone=UTC&";
        return "jdbc:" + kind + "://" + env("WEIR_HOST") + ":" + env("WEIR_PORT") + "/shop?" + common + options;
    }

    static String clean(SQLException error) {
        String text = String.valueOf(error.getMessage()).split(" \\[weir:")[0];
        text = text.replaceAll("\\(conn=-?\\d+\\)", "(conn=N)").replace("'@'127.0.0.1'", "'@'%'");
        return error.getErrorCode() + " " + error.getSQLState() + " " + text.lines().findFirst().orElse("");
    }

    static void attempt(String title, Work work) throws Exception {
        try {
            work.run();
        } catch (SQLException error) {
            System.out.println(title + " -> " + error.getClass().getSimpleName() + " " + clean(error));
        }
    }

    static String show(ResultSet rows, int most, String sql) throws SQLException {
        // Where the rows of SHOW come from, servers say differently.
        boolean described = !sql.startsWith("SHOW") && !sql.contains("information_schema");
        ResultSetMetaData meta = rows.getMetaData();
        StringBuilder out = new StringBuilder();
        for (int i = 1; i <= meta.getColumnCount(); i++) {
            // MariaDB says by an extension that a text is JSON; Weir doesn't offer it.
            String type = meta.getColumnTypeName(i);
            type = env("WEIR_KIND").equals("mariadb") && type.equals("JSON") ? "LONGTEXT" : type;
            out.append(i > 1 ? ", " : "[").append(meta.getColumnLabel(i)).append(' ').append(type);
            if (described) {
                out.append(' ').append(meta.getTableName(i)).append(' ').append(meta.getPrecision(i)).append(' ')
                        .append(meta.isNullable(i)).append(meta.isSigned(i) ? " signed" : "");
            }
        }
        out.append("] ");
        int count = 0;
        while (rows.next()) {
            if (count++ < most) {
                for (int i = 1; i <= meta.getColumnCount(); i++) {
                    Object value = rows.getObject(i);
                    String text = value instanceof byte[] bytes ? "bytes " + Arrays.toString(bytes)
                            : value == null ? "NULL" : value.getClass().getSimpleName() + " " + value;
                    out.append(i > 1 ? ", " : "").append(text.length() > 80 ? text.substring(0, 80) : text);
                }
                out.append(" | ");
            }
        }
        return out + "" + count + " rows";
    }

    static void ask(Connection connection, String sql, Object... values) throws Exception {
        String title = sql.length() > 70 ? sql.substring(0, 70) : sql;
        attempt(title, () -> {
            try (PreparedStatement statement = connection.prepareStatement(sql)) {
                for (int i = 0; i < values.length; i++) {
                    statement.setObject(i + 1, values[i]);
                }
                if (statement.execute()) {
                    System.out.println(title + " -> " + show(statement.getResultSet(), 6, sql));
                } else {
                    System.out.println(title + " -> " + statement.getUpdateCount() + " updated");
                }
            }
        });
    }

    static void reads(Connection connection) throws Exception {
        ask(connection, "SELECT * FROM users WHERE user_id = ?", 7);
        ask(connection, "SELECT user_id, name FROM users WHERE user_id = ?", "9");
        ask(connection, "SELECT user_id, name, score, born FROM users WHERE user_id <= ? ORDER BY user_id DESC LIMIT 4", 50L);
        ask(connection, "SELECT count(*) AS n, sum(balance) AS s, avg(score) AS a, max(registered_at) AS m FROM users WHERE user_id > ?", 0);
        ask(connection, "SELECT item_id, attributes, picture, weight_kg, flash_sale, category FROM items WHERE item_id = ?", new BigDecimal("3"));
        ask(connection, "SELECT status, count(*) AS n FROM orders GROUP BY status ORDER BY status");
        ask(connection, "SELECT u.name, r.name AS region FROM users AS u JOIN regions AS r ON r.region_id = u.region_id WHERE u.user_id = ?", 5);
        ask(connection, "SELECT user_id FROM users WHERE user_id = ?", (Object) null);
        ask(connection, "SELECT user_id FROM users WHERE user_id IN (?, ?, ?) ORDER BY user_id", 1, "2", 17);
        ask(connection, "SELECT nosuch FROM users WHERE user_id = ?", 1);
        ask(connection, "SELECT * FROM nothing WHERE a = ?", 1);
        ask(connection, "SELECT count(*) FROM orders WHERE created_at BETWEEN ? AND ?", Timestamp.valueOf("2024-05-01 00:00:00"), Timestamp.valueOf("2024-06-01 00:00:00"));
        ask(connection, "SELECT DATABASE(), USER(), @@autocommit, LAST_INSERT_ID()");
        ask(connection, "SHOW TABLES");
        ask(connection, "SHOW CREATE TABLE regions");
        ask(connection, "SHOW FULL COLUMNS FROM regions");
        ask(connection, "SELECT table_name AS t FROM information_schema.tables WHERE table_schema = ? ORDER BY 1", "shop");
    }

    static final String INSERT =
            "INSERT INTO users (user_id, name, email, region_id, registered_at) VALUES (?, ?, ?, ?, ?)";

    static void writes(Connection connection) throws Exception {
        for (int key = 830000; key < 830006; key++) {
            ask(connection, "DELETE FROM users WHERE user_id = ?", key);
        }
        Timestamp moment = Timestamp.valueOf("2024-02-29 13:14:15");
        ask(connection, INSERT, 830000, "Ünï'\\\"", "a@b", 1, moment);
        ask(connection, INSERT, 830000, "twice", "a@b", 1, moment);
        ask(connection, "UPDATE users SET name = ? WHERE user_id = ?", "changed", 830000);
        ask(connection, "UPDATE users SET name = ? WHERE user_id = ?", "changed", 830000);
        attempt("batch", () -> {
            try (PreparedStatement statement = connection.prepareStatement(INSERT)) {
                for (int key = 830001; key < 830005; key++) {
                    Object[] row = {key, "batch " + key, "e", 2, moment};
                    for (int i = 0; i < row.length; i++) {
                        statement.setObject(i + 1, row[i]);
                    }
                    statement.addBatch();
                }
                System.out.println("batch " + statement.executeBatch().length);
            }
        });
        attempt("batch of updates", () -> {
            try (PreparedStatement statement = connection.prepareStatement("UPDATE users SET balance = balance + 1 WHERE user_id = ?")) {
                for (int key = 830001; key < 830005; key++) {
                    statement.setInt(1, key);
                    statement.addBatch();
                }
                System.out.println("batch of updates " + Arrays.stream(statement.executeBatch()).map(n -> n == -2 ? 1 : n).sum());
            }
        });
        attempt("batch of texts", () -> {
            try (Statement statement = connection.createStatement()) {
                statement.addBatch("UPDATE users SET name = 'one' WHERE user_id = 830001");
                statement.addBatch("UPDATE users SET name = 'two' WHERE user_id = 830002");
                System.out.println("batch of texts " + Arrays.toString(statement.executeBatch()));
            }
        });
        ask(connection, "SELECT user_id, name, balance FROM users WHERE user_id IN (830000, 830001, 830002, 830003, 830004) ORDER BY user_id");
        attempt("long data", () -> {
            try (PreparedStatement statement = connection.prepareStatement("UPDATE users SET name = ? WHERE user_id = ?")) {
                byte[] text = "x".repeat(60).getBytes(StandardCharsets.UTF_8);
                statement.setBinaryStream(1, new ByteArrayInputStream(text), text.length);
                statement.setInt(2, 830001);
                System.out.println("long data " + statement.executeUpdate());
            }
        });
        ask(connection, "SELECT length(name) AS n FROM users WHERE user_id = 830001");
        // A single table's keys; a sharded table's come from its declared sequence.
        attempt("generated keys", () -> {
            try (PreparedStatement statement = connection.prepareStatement(
                    "INSERT INTO coupons VALUES (?, 1, 1, '2030-01-01')", Statement.RETURN_GENERATED_KEYS)) {
                statement.setString(1, "JDBC");
                System.out.println("inserted " + statement.executeUpdate());
                try (ResultSet keys = statement.getGeneratedKeys()) {
                    System.out.println("keys " + keys.next());
                }
            }
        });
        ask(connection, "DELETE FROM coupons WHERE code = 'JDBC'");
        String line = "INSERT INTO order_items (order_id, line, user_id, item_id, quantity, price) VALUES ";
        attempt("generated keys of a batch", () -> {
            try (PreparedStatement statement = connection.prepareStatement(
                    line + "(830000, ?, 7, 1, 1, 1)", Statement.RETURN_GENERATED_KEYS)) {
                for (int number = 1; number <= 3; number++) {
                    statement.setInt(1, number);
                    statement.addBatch();
                }
                statement.executeBatch();
                keys(connection, statement);
            }
        });
        attempt("generated keys of rows", () -> {
            try (Statement statement = connection.createStatement()) {
                statement.executeUpdate(line + "(830000, 4, 7, 1, 1, 1), (830000, 5, 7, 1, 1, 1), (830000, 6, 7, 1, 1, 1)",
                        Statement.RETURN_GENERATED_KEYS);
                keys(connection, statement);
            }
        });
        ask(connection, "DELETE FROM order_items WHERE user_id = 7 AND order_id = 830000");
        attempt("warnings", () -> {
            try (Statement statement = connection.createStatement();
                    ResultSet rows = statement.executeQuery("SELECT CAST('7x' AS SIGNED) AS seven")) {
                rows.next();
                SQLWarning warning = statement.getWarnings();
                System.out.println("warning " + (warning == null ? "none" : warning.getErrorCode() + " " + warning.getMessage()));
            }
        });
        for (int key = 830000; key < 830006; key++) {
            ask(connection, "DELETE FROM users WHERE user_id = ?", key);
        }
    }

    // Which rows the generated keys belong to: the numbers themselves differ.
    static void keys(Connection connection, Statement statement) throws Exception {
        StringBuilder out = new StringBuilder("keys of lines");
        try (ResultSet keys = statement.getGeneratedKeys();
                PreparedStatement find = connection.prepareStatement("SELECT line FROM order_items WHERE user_id = 7 AND id = ?")) {
            while (keys.next()) {
                find.setLong(1, keys.getLong(1));
                try (ResultSet row = find.executeQuery()) {
                    out.append(' ').append(row.next() ? row.getInt(1) : -1);
                }
            }
        }
        System.out.println(out);
    }

    static void transactions(Connection connection) throws Exception {
        connection.setTransactionIsolation(Connection.TRANSACTION_READ_COMMITTED);
        System.out.println("isolation " + connection.getTransactionIsolation());
        connection.setAutoCommit(false);
        ask(connection, "UPDATE users SET name = 'inside' WHERE user_id = ?", 3);
        var savepoint = connection.setSavepoint("here");
        ask(connection, "UPDATE users SET name = 'deeper' WHERE user_id = ?", 3);
        connection.rollback(savepoint);
        ask(connection, "SELECT name FROM users WHERE user_id = 3");
        connection.rollback();
        connection.setAutoCommit(true);
        ask(connection, "SELECT name FROM users WHERE user_id = 3");
        connection.setReadOnly(true);
        attempt("read only", () -> ask(connection, "UPDATE users SET name = 'x' WHERE user_id = ?", 3));
        connection.setReadOnly(false);
        connection.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
        connection.setCatalog("shop");
        System.out.println("catalog " + connection.getCatalog() + " valid " + connection.isValid(5));
    }

    static void streaming(Connection connection, int fetchSize) throws Exception {
        for (String sql : List.of("SELECT order_id, total, note FROM orders ORDER BY order_id",
                "SELECT order_id FROM orders WHERE user_id = 7 ORDER BY order_id", "SELECT code FROM coupons ORDER BY code")) {
            attempt(sql, () -> {
                try (PreparedStatement statement = connection.prepareStatement(sql,
                        ResultSet.TYPE_FORWARD_ONLY, ResultSet.CONCUR_READ_ONLY)) {
                    statement.setFetchSize(fetchSize);
                    int count = 0;
                    long hash = 0;
                    try (ResultSet rows = statement.executeQuery()) {
                        while (rows.next()) {
                            count++;
                            hash = hash * 31 + rows.getString(1).hashCode();
                        }
                    }
                    System.out.println("fetch size " + (fetchSize > 0 ? "n" : "stream") + " " + sql + " -> " + count + " rows " + hash);
                    // Closed in the middle; the connection goes on.
                    try (ResultSet rows = statement.executeQuery()) {
                        rows.next();
                        rows.next();
                    }
                }
            });
            ask(connection, "SELECT user_id FROM users WHERE user_id = 2");
        }
    }

    static void cancel(Connection connection) throws Exception {
        long start = System.nanoTime();
        attempt("cancel", () -> {
            try (Statement statement = connection.createStatement()) {
                Thread other = new Thread(() -> {
                    try {
                        Thread.sleep(1000);
                        statement.cancel();
                    } catch (Exception error) {
                        System.out.println("cancel failed: " + error);
                    }
                });
                other.start();
                try (ResultSet rows = statement.executeQuery("SELECT count(*) FROM users WHERE user_id = 1 AND SLEEP(20) = 0")) {
                    rows.next();
                    System.out.println("not cancelled");
                } catch (SQLException error) {
                    // Whether the driver hears of it from the server or from itself is a race.
                    System.out.println("cancelled");
                } finally {
                    other.join();
                }
            }
        });
        attempt("timeout", () -> {
            try (Statement statement = connection.createStatement()) {
                statement.setQueryTimeout(1);
                statement.executeQuery("SELECT count(*) FROM users WHERE user_id = 1 AND SLEEP(20) = 0").next();
                System.out.println("no timeout");
            }
        });
        System.out.println("in time " + (System.nanoTime() - start < 12_000_000_000L));
        ask(connection, "SELECT user_id FROM users WHERE user_id = 2");
    }

    static String named(ResultSet rows, String... names) throws SQLException {
        TreeSet<String> all = new TreeSet<>();
        while (rows.next()) {
            List<String> values = new ArrayList<>();
            for (String name : names) {
                values.add(rows.getString(name));
            }
            all.add(values.toString());
        }
        return all.toString();
    }

    static void metadata(Connection connection) throws Exception {
        DatabaseMetaData meta = connection.getMetaData();
        System.out.println(meta.getDatabaseProductName() + " " + meta.getDatabaseProductVersion());
        attempt("catalogs", () -> System.out.println("catalogs " + named(meta.getCatalogs(), "TABLE_CAT").replace("[performance_schema], ", "")));
        attempt("tables", () -> System.out.println("tables " + named(meta.getTables("shop", null, "%", new String[] {"TABLE"}), "TABLE_CAT", "TABLE_NAME", "TABLE_TYPE")));
        attempt("tables like", () -> System.out.println("tables like " + named(meta.getTables("shop", null, "order%", null), "TABLE_CAT", "TABLE_NAME", "TABLE_TYPE")));
        attempt("columns", () -> System.out.println("columns " + named(meta.getColumns("shop", null, "users", "%"), "TABLE_NAME", "COLUMN_NAME", "TYPE_NAME", "COLUMN_SIZE", "NULLABLE", "COLUMN_DEF", "IS_AUTOINCREMENT")));
        attempt("columns of single", () -> System.out.println("columns " + named(meta.getColumns(null, null, "coupons", "%"), "TABLE_NAME", "COLUMN_NAME", "TYPE_NAME", "COLUMN_SIZE")));
        attempt("keys", () -> System.out.println("keys " + named(meta.getPrimaryKeys("shop", null, "order_items"), "TABLE_CAT", "TABLE_NAME", "COLUMN_NAME", "KEY_SEQ", "PK_NAME")));
        attempt("indexes", () -> System.out.println("indexes " + named(meta.getIndexInfo("shop", null, "order_items", false, true), "TABLE_CAT", "TABLE_NAME", "INDEX_NAME", "COLUMN_NAME", "NON_UNIQUE")));
        attempt("imported", () -> System.out.println("imported " + named(meta.getImportedKeys("shop", null, "orders"), "PKTABLE_NAME")));
        attempt("best row", () -> System.out.println("best row " + named(meta.getBestRowIdentifier("shop", null, "users", DatabaseMetaData.bestRowSession, true), "COLUMN_NAME")));
        attempt("procedures", () -> System.out.println("procedures " + named(meta.getProcedures("shop", null, "%"), "PROCEDURE_NAME")));
        attempt("functions", () -> System.out.println("functions " + named(meta.getFunctions("shop", null, "%"), "FUNCTION_NAME")));
        attempt("schemas", () -> System.out.println("schemas " + named(meta.getSchemas(), "TABLE_SCHEM").replace("[performance_schema], ", "")));
        attempt("types", () -> System.out.println("types " + meta.getTypeInfo().next() + " " + meta.getUserName().startsWith("shop")));
    }

    /// An updatable result set finds its table by the columns' origin.
    static void updatable(Connection connection) throws Exception {
        attempt("updatable", () -> {
            try (Statement statement = connection.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_UPDATABLE);
                    ResultSet rows = statement.executeQuery("SELECT user_id, name FROM users WHERE user_id = 4")) {
                rows.next();
                String before = rows.getString(2);
                rows.updateString(2, before + "!");
                rows.updateRow();
                System.out.println("updated " + rows.getString(2));
                rows.updateString(2, before);
                rows.updateRow();
            }
        });
        ask(connection, "SELECT name FROM users WHERE user_id = 4");
    }

    static void pool(String options) throws Exception {
        HikariConfig config = new HikariConfig();
        config.setJdbcUrl(url(options));
        config.setUsername(env("WEIR_USER"));
        config.setPassword(env("WEIR_PASSWORD"));
        config.setMaximumPoolSize(4);
        try (HikariDataSource source = new HikariDataSource(config)) {
            ExecutorService workers = Executors.newFixedThreadPool(8);
            List<Future<Boolean>> all = new ArrayList<>();
            for (int worker = 0; worker < 8; worker++) {
                int first = worker;
                Callable<Boolean> work = () -> {
                    boolean right = true;
                    for (int key = first + 1; key <= 200; key += 8) {
                        try (Connection connection = source.getConnection();
                                PreparedStatement statement = connection.prepareStatement("SELECT user_id FROM users WHERE user_id = ?")) {
                            statement.setInt(1, key);
                            try (ResultSet rows = statement.executeQuery()) {
                                right &= rows.next() && rows.getInt(1) == key && !rows.next();
                            }
                        }
                    }
                    return right;
                };
                all.add(workers.submit(work));
            }
            boolean right = true;
            for (Future<Boolean> one : all) {
                right &= one.get();
            }
            workers.shutdown();
            System.out.println("pool " + right);
            try (Connection connection = source.getConnection()) {
                transactions(connection);
            }
        }
    }

    static Connection connect(String options) throws SQLException {
        return java.sql.DriverManager.getConnection(url(options), env("WEIR_USER"), env("WEIR_PASSWORD"));
    }

    public static void main(String[] args) throws Exception {
        isMysql = args[0].equals("mysql");
        try (Connection connection = connect("")) {
            DatabaseMetaData meta = connection.getMetaData();
            System.out.println("# " + meta.getDriverName() + " " + meta.getDriverVersion().split(" \\(")[0] + ", HikariCP, Java " + System.getProperty("java.version"));
        }
        List<String> ways = isMysql
                ? List.of("", "useServerPrepStmts=true&cachePrepStmts=true", "useServerPrepStmts=true&useCursorFetch=true",
                        "rewriteBatchedStatements=true", "rewriteBatchedStatements=true&useServerPrepStmts=true",
                        "useInformationSchema=true&useAffectedRows=true", "allowMultiQueries=true&useCompression=true",
                        "cacheServerConfiguration=true&useLocalSessionState=true&elideSetAutoCommits=true&sslMode=REQUIRED")
                : List.of("", "useServerPrepStmts=true", "useBulkStmts=true&useServerPrepStmts=true", "useCompression=true",
                        "rewriteBatchedStatements=true&allowMultiQueries=true", "sslMode=trust", "useAffectedRows=true");
        for (String way : ways) {
            System.out.println("== " + way);
            try (Connection connection = connect(way)) {
                reads(connection);
                writes(connection);
                transactions(connection);
                streaming(connection, 10);
                streaming(connection, isMysql && !way.contains("useCursorFetch") ? Integer.MIN_VALUE : 1);
            }
            pool(way);
        }
        System.out.println("== metadata");
        for (String way : isMysql ? List.of("", "useInformationSchema=true", "nullDatabaseMeansCurrent=true") : List.of("")) {
            try (Connection connection = connect(way)) {
                metadata(connection);
                updatable(connection);
                cancel(connection);
            }
        }
    }
}
