-- information_schema where no name says so: nothing of the servers is seen.
USE information_schema;
SELECT count(*) AS n FROM tables WHERE table_schema = 'shop' AND table_name = 'orders';
SELECT count(t.table_name) AS n FROM (tables t JOIN columns AS c USING (table_schema, table_name)) WHERE table_schema = 'shop' AND table_name = 'regions';
SELECT count(*) AS n FROM schemata AS s, tables AS t WHERE schema_name = 'shop' AND table_schema = schema_name AND table_name LIKE 'orders%';
SELECT (SELECT count(*) FROM tables AS t WHERE table_schema = 'shop' AND table_name LIKE 'orders%') AS n;
SELECT count(*) > 0 AS n FROM (processlist) WHERE info IS NOT NULL;
SELECT count(*) AS n FROM (tables JOIN processlist) WHERE info LIKE 'no such statement%';
-- refused: information_schema
SELECT 1 FROM tables WHERE EXISTS (SELECT 1 FROM (schemata JOIN innodb_trx));
USE shop;
-- refused: not_understood
CREATE VIEW peeping AS SELECT info FROM information_schema.processlist;
-- refused: not_understood
CREATE PROCEDURE peeping() SELECT info FROM information_schema.processlist;
DESC information_schema.schemata;
SHOW COLUMNS FROM information_schema.schemata;
USE information_schema;
DESC SCHEMATA;
USE shop;
