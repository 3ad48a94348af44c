// mysql2 (Node): text, prepared, streams, pool, several statements, compression, TLS.
'use strict';
const fs = require('fs');
const mysql = require('mysql2');
const promise = require('mysql2/promise');
const env = process.env;

const base = {
  host: env.WEIR_HOST,
  port: Number(env.WEIR_PORT),
  user: env.WEIR_USER,
  password: env.WEIR_PASSWORD,
  database: 'shop',
  timezone: 'Z',
};

function show(value) {
  if (value === null) return 'NULL';
  if (Buffer.isBuffer(value)) return 'bytes ' + value.toString('hex');
  if (value instanceof Date) return value.toISOString();
  // MariaDB says by an extension that a column holds JSON; Weir doesn't offer it.
  if (typeof value === 'string' && value.startsWith('{')) return JSON.stringify(JSON.parse(value));
  return typeof value === 'object' ? JSON.stringify(value) : `${typeof value} ${String(value).slice(0, 60)}`;
}

function rows(found) {
  return found.slice(0, 6).map((row) => Object.entries(row).map(([name, value]) => `${name}=${show(value)}`).join(', ')).join(' | ');
}

function clean(message) {
  // The words around a syntax error are each server's own.
  if (message.startsWith('You have an error in your SQL syntax')) return 'syntax';
  return message.split(' [weir:')[0].replace("'@'127.0.0.1'", "'@'%'");
}

async function ask(connection, method, sql, values) {
  try {
    const [found, fields] = await connection[method](sql, values);
    if (Array.isArray(found)) {
      // Where the rows of SHOW come from, servers say differently.
      const table = (field) => (/^show|^describe|information_schema/i.test(sql) ? '' : field.orgTable);
      const names = fields.map((field) => `${field.name}:${field.columnType ?? field.type}:${table(field)}`);
      console.log(`${method} ${sql.slice(0, 70)} -> [${names}] ${found.length} rows: ${rows(found)}`);
    } else {
      console.log(`${method} ${sql.slice(0, 70)} -> ${found.affectedRows} affected, ${found.changedRows} changed, id ${found.insertId}, ${found.warningStatus} warnings, '${found.info}'`);
    }
    return found;
  } catch (error) {
    console.log(`${method} ${sql.slice(0, 70)} -> ${error.code} ${error.errno} ${error.sqlState} ${clean(error.sqlMessage ?? error.message)}`);
    return undefined;
  }
}

async function steps(connection, method) {
  const run = (sql, values) => ask(connection, method, sql, values);
  await run('SELECT * FROM users WHERE user_id = ?', [7]);
  await run('SELECT user_id, name FROM users WHERE user_id = ?', ['9']);
  await run('SELECT user_id, name, score, born FROM users WHERE user_id <= ? ORDER BY user_id DESC LIMIT 4', [50]);
  await run('SELECT count(*) AS n, sum(balance) AS s, avg(score) AS a, max(registered_at) AS m FROM users WHERE user_id > ?', [0]);
  await run('SELECT item_id, attributes, picture, weight_kg, flash_sale FROM items WHERE item_id = ?', [3]);
  await run('SELECT u.name, r.name AS region FROM users u JOIN regions r ON r.region_id = u.region_id WHERE u.user_id = ?', [5]);
  await run('SELECT status, count(*) AS n FROM orders GROUP BY status ORDER BY status');
  await run('SELECT user_id FROM users WHERE user_id = ?', [null]);
  await run('SELECT nosuch FROM users WHERE user_id = ?', [1]);
  await run('SELECT * FROM nothing WHERE a = ?', [1]);
  await run('SELECT ? AS t, ? AS n, ? AS d, ? AS b', ['täxt', 12.5, new Date(Date.UTC(2024, 1, 29, 12, 0, 0)), Buffer.from([0, 255, 39])]);
  await run('DELETE FROM users WHERE user_id = ?', [810000]);
  await run('INSERT INTO users (user_id, name, email, region_id, registered_at, profile) VALUES (?, ?, ?, ?, ?, ?)',
    [810000, "Ünï'\\\"", 'a@b', 1, '2024-02-29 13:14:15', JSON.stringify({ a: [1, 'x'] })]);
  await run('INSERT INTO users (user_id, name, email, region_id, registered_at) VALUES (?, ?, ?, ?, ?)', [810000, 'x', 'y', 1, '2024-01-01']);
  await run('UPDATE users SET name = ? WHERE user_id = ?', ['changed', 810000]);
  await run('UPDATE users SET name = ? WHERE user_id = ?', ['changed', 810000]);
  await run('SELECT user_id, name, profile FROM users WHERE user_id = ?', [810000]);
  await run('DELETE FROM users WHERE user_id = ?', [810000]);
  await run("SELECT CAST('7x' AS SIGNED) AS seven");
  await ask(connection, 'query', 'SHOW WARNINGS');
  await run('SHOW TABLES');
  await run('SHOW FULL COLUMNS FROM regions');
  await run('SHOW CREATE TABLE regions');
  await run('SHOW INDEX FROM regions WHERE Key_name = ?'.replace('?', "'nothing'"));
  await run('DESCRIBE users');
  await run('SELECT DATABASE() AS d, USER() AS u, LAST_INSERT_ID() AS l, @@autocommit AS a');
  await run("SELECT table_name AS t FROM information_schema.tables WHERE table_schema = ? ORDER BY 1", ['shop']);
  await run('SELECT 1 + ? AS n', [1]);
  await run('SET @x = 5');
  await run('SELECT @x AS x');
}

async function transactions(connection) {
  await connection.beginTransaction();
  await ask(connection, 'execute', 'UPDATE users SET score = score WHERE user_id = ?', [3]);
  await ask(connection, 'execute', 'UPDATE users SET name = ? WHERE user_id = ?', ['inside', 3]);
  await connection.rollback();
  await ask(connection, 'query', 'SELECT name FROM users WHERE user_id = 3');
}

function stream(connection) {
  return new Promise((resolve, reject) => {
    let count = 0;
    let sum = 0;
    connection.query('SELECT order_id FROM orders ORDER BY order_id').stream({ highWaterMark: 5 })
      .on('data', (row) => { count += 1; sum += Number(row.order_id); })
      .on('error', reject)
      .on('end', () => resolve(`${count} rows, sum ${sum}`));
  });
}

async function variant(name, options) {
  console.log(`== ${name}`);
  const connection = await promise.createConnection({ ...base, ...options });
  for (const method of ['query', 'execute']) await steps(connection, method);
  await transactions(connection);
  console.log('stream', await stream(connection.connection));
  await connection.ping();
  // COM_CHANGE_USER.
  await connection.query("SET @x = 6, time_zone = '+05:00'");
  await connection.changeUser({ user: env.WEIR_USER, password: env.WEIR_PASSWORD, database: 'shop' });
  await ask(connection, 'query', "SELECT @x IS NULL AS x, @@time_zone <> '+05:00' AS fresh, DATABASE() AS d");
  await ask(connection, 'execute', 'SELECT user_id FROM users WHERE user_id = ?', [4]);
  await connection.end();
}

async function several() {
  console.log('== several statements');
  const connection = await promise.createConnection({ ...base, multipleStatements: true });
  try {
    const [results] = await connection.query('SELECT 1 AS a; SELECT user_id FROM users WHERE user_id = 7; SET @a = 1; SELECT count(*) AS n FROM users');
    console.log(JSON.stringify(results.map((result) => (Array.isArray(result) ? result : 'done'))));
    await connection.query('SELECT 1; SELECT nosuch; SELECT 3');
  } catch (error) {
    console.log(error.code);
  }
  await ask(connection, 'query', 'SELECT user_id FROM users WHERE user_id = 7');
  await connection.end();
  const single = await promise.createConnection(base);
  await ask(single, 'query', 'SELECT 1 AS a; SELECT 2 AS b').catch(() => {});
  await single.end();
}

async function pool() {
  console.log('== pool');
  const members = promise.createPool({ ...base, connectionLimit: 4 });
  const found = await Promise.all(Array.from({ length: 40 }, (_, n) => members.execute('SELECT user_id, name FROM users WHERE user_id = ?', [n + 1])));
  console.log(found.every(([rows], n) => rows.length === 1 && Number(rows[0].user_id) === n + 1));
  const texts = await Promise.all(Array.from({ length: 40 }, (_, n) => members.query('SELECT count(*) AS n FROM orders WHERE user_id = ?', [n + 1])));
  console.log(texts.map(([rows]) => rows[0].n).join());
  await members.end();
}

async function local() {
  console.log('== LOAD DATA LOCAL');
  const text = Array.from({ length: 30 }, (_, n) => `NODE${n}\t${n}\t${n}\t2030-01-01 00:00:00\n`).join('');
  const connection = await promise.createConnection(base);
  const [done] = await connection.query({
    sql: "LOAD DATA LOCAL INFILE 'stream' INTO TABLE coupons",
    infileStreamFactory: () => require('stream').Readable.from(Buffer.from(text)),
  });
  console.log(done.affectedRows, done.info);
  await ask(connection, 'query', "SELECT count(*) AS n, sum(percent) AS s FROM coupons WHERE code LIKE 'NODE%'");
  await ask(connection, 'query', "DELETE FROM coupons WHERE code LIKE 'NODE%'");
  await connection.end();
}

async function main() {
  console.log(`# mysql2 ${require('mysql2/package.json').version} on node ${process.version}`);
  await variant('plain', {});
  await variant('rows as arrays of strings', { dateStrings: true, supportBigNumbers: true, bigNumberStrings: true });
  await variant('compressed', { compress: true });
  await variant('TLS', { ssl: { ca: fs.readFileSync(env.WEIR_CA) } });
  await variant('found rows off', { flags: ['-FOUND_ROWS'] });
  await several();
  await pool();
  await local();
}

main().catch((error) => {
  console.log(`failed: ${error.stack}`);
  process.exit(1);
});
