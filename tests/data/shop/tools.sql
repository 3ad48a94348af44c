-- What drivers, dump tools, ORMs and graphical clients send, through Weir and to one plain server:
-- the same columns (names, types, origin) and rows, or the same error. A line above a statement may
-- say, and holds for this statement alone:
--   -- only: mariadb        (or mysql) the other server doesn't know it
--   -- shape                only the columns are compared: the rows speak of one server
--   -- refused: code        Weir refuses it
--   -- broken: why          a known defect; the answers differ until it is mended
-- Nothing, rows and texts included, may name a physical table or database.

-- Connect: CLIs
select @@version_comment limit 1;
SELECT DATABASE();
select DATABASE(), USER() limit 1;
select USER();
SELECT CURRENT_USER();
-- shape
show databases;
show tables;
SHOW /*!50002 FULL*/ TABLES;
-- Connector/J
/* mysql-connector-j-9.4.0 (Revision: x) */SELECT  @@session.auto_increment_increment AS auto_increment_increment, @@character_set_client AS character_set_client, @@character_set_connection AS character_set_connection, @@character_set_results AS character_set_results, @@character_set_server AS character_set_server, @@collation_server AS collation_server, @@collation_connection AS collation_connection, @@init_connect AS init_connect, @@interactive_timeout AS interactive_timeout, @@license AS license, @@lower_case_table_names AS lower_case_table_names, @@max_allowed_packet AS max_allowed_packet, @@performance_schema AS performance_schema, @@sql_mode AS sql_mode, @@system_time_zone AS system_time_zone, @@time_zone AS time_zone, @@wait_timeout AS wait_timeout;
-- broken: backends have it raised, so that a slow client isn't cut off
SELECT @@net_write_timeout;
SET character_set_results = NULL;
SELECT @@character_set_results;
SET character_set_results = utf8mb4;
SET autocommit=1;
-- only: mysql
SELECT @@session.transaction_isolation, @@session.transaction_read_only;
-- only: mariadb
SELECT @@session.tx_isolation, @@session.tx_read_only;
SELECT @@session.autocommit;
SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED;
-- only: mysql
SELECT @@session.transaction_isolation;
-- only: mariadb
SELECT @@session.tx_isolation, @@tx_isolation;
SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ;
SET SESSION TRANSACTION READ ONLY;
SET SESSION TRANSACTION READ WRITE;
SET sql_select_limit=5;
SELECT @@sql_select_limit;
SET sql_select_limit=DEFAULT;
SHOW WARNINGS;
-- MariaDB Connector/J
set autocommit=1, sql_mode = concat(@@sql_mode,',STRICT_TRANS_TABLES');
-- only: mariadb
set autocommit=1,sql_mode=CONCAT(@@sql_mode,',STRICT_TRANS_TABLES'),session_track_system_variables = CONCAT(@@global.session_track_system_variables,',tx_isolation'),NAMES utf8mb4,time_zone='+00:00';
-- only: mysql
set autocommit=1,sql_mode=CONCAT(@@sql_mode,',STRICT_TRANS_TABLES'),session_track_system_variables = CONCAT(@@global.session_track_system_variables,',transaction_isolation'),NAMES utf8mb4,time_zone='+00:00';
SELECT @@time_zone, @@system_time_zone;
SELECT @@max_allowed_packet,@@system_time_zone,@@time_zone,@@auto_increment_increment;
SELECT @@auto_increment_increment;
select @@lower_case_table_names;
select database();
set time_zone=DEFAULT, sql_mode=DEFAULT;
-- only: mariadb
SET STATEMENT max_statement_time=10 FOR SELECT user_id FROM users WHERE user_id = 7;
-- only: mariadb
SET STATEMENT sort_buffer_size=100000 FOR SELECT user_id, @@sort_buffer_size > 90000 AS s FROM users ORDER BY user_id LIMIT 3;
-- only: mariadb
SET STATEMENT nonsense=10 FOR SELECT 1;
-- only: mariadb
SET STATEMENT max_statement_time=0.2 FOR SELECT SLEEP(5) FROM users WHERE user_id = 7;
SELECT @@sql_mode;
-- Python
SET NAMES utf8mb4;
SET AUTOCOMMIT = 1;
SET @@session.autocommit = ON;
SET NAMES 'utf8mb4' COLLATE 'utf8mb4_general_ci';
SET NAMES utf8mb4;
SELECT VERSION();
SELECT @@lower_case_table_names;
-- only: mysql
SELECT @@transaction_isolation;
SELECT @@sql_mode;
SELECT VERSION(), @@sql_mode, @@default_storage_engine, @@sql_auto_is_null, @@lower_case_table_names, CONVERT_TZ('2001-01-01 01:00:00', 'UTC', 'UTC') IS NOT NULL;
-- Node
SELECT VERSION() as `version`;
SELECT 1+1 AS result;
select version() as version;
SELECT DATABASE() AS `db_name`;
SET time_zone = '+00:00';
SET time_zone = DEFAULT;
-- Laravel, Rails, sqlx
use `shop`;
SET NAMES utf8mb4, @@SESSION.sql_mode = CONCAT(@@sql_mode, ',TRADITIONAL'),  @@SESSION.wait_timeout = 2147483;
SELECT @@sql_mode, @@wait_timeout;
SET sql_mode=(SELECT CONCAT(@@sql_mode, ',PIPES_AS_CONCAT,NO_ENGINE_SUBSTITUTION')),time_zone='+00:00',NAMES utf8mb4;
SELECT 'a' || 'b' AS joined;
SET sql_mode=DEFAULT, time_zone=DEFAULT, wait_timeout=DEFAULT;
SELECT @@FOREIGN_KEY_CHECKS;
SET FOREIGN_KEY_CHECKS = 0;
SET FOREIGN_KEY_CHECKS = 1;
SET SESSION group_concat_max_len = cast(greatest(@@session.group_concat_max_len, 1048576) as unsigned);
SELECT @@group_concat_max_len;
SET @ApplicationName='DBeaver 24.0 - Main';
SELECT @ApplicationName;
SELECT GET_LOCK('weir_tools', 0), IS_FREE_LOCK('weir_tools'), RELEASE_LOCK('weir_tools');
-- mariadb-dump, mysqldump
/*!40100 SET @@SQL_MODE='' */;
/*!40103 SET TIME_ZONE='+00:00' */;
-- only: mariadb
/*M!100100 SET @@MAX_STATEMENT_TIME=0.000000 */;
-- only: mariadb
/*M!100100 SET WAIT_TIMEOUT=DEFAULT */;
-- only: mysql
/*!80000 SET SESSION information_schema_stats_expiry=0 */;
SET SESSION NET_READ_TIMEOUT= 86400, SESSION NET_WRITE_TIMEOUT= 86400;
SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ;
SHOW VARIABLES LIKE 'ndbinfo\_version';
SHOW TABLES LIKE '%';
SHOW TABLES LIKE 'us%';
SHOW FULL TABLES LIKE 'order%';
SET SQL_QUOTE_SHOW_CREATE=1;
SET SESSION character_set_results = 'binary';
-- shape
show create table `users`;
show create table `regions`;
show create table `coupons`;
SET SESSION character_set_results = 'utf8mb4';
show create table `stock`;
-- shape
show create table shop.orders;
show fields from `users`;
show fields from `order_items`;
SHOW CREATE DATABASE IF NOT EXISTS `shop`;
SHOW CREATE DATABASE shop;
-- shape
show table status like 'coupons';
-- shape
show table status like 'users';
-- shape
show table status;
SHOW TRIGGERS LIKE 'users';
SHOW TRIGGERS;
SHOW EVENTS;
show events in shop;
SHOW FUNCTION STATUS WHERE Db = 'shop';
SHOW PROCEDURE STATUS WHERE Db = 'shop';
select @@collation_database;
SELECT @@character_set_database, @@collation_database;
SELECT /*!40001 SQL_NO_CACHE */ * FROM `coupons`;
SELECT /*!40001 SQL_NO_CACHE */ `code`, `percent` FROM `coupons` WHERE code = 'SAVE0007';
SET SQL_MODE=DEFAULT, TIME_ZONE=DEFAULT;
-- SHOW and DESCRIBE under logical names
DESCRIBE users;
DESC shop.users;
EXPLAIN users;
DESCRIBE users user_id;
SHOW COLUMNS FROM users;
SHOW FULL COLUMNS FROM `users` FROM `shop`;
SHOW FULL COLUMNS FROM `users` FROM `shop` LIKE '%';
SHOW COLUMNS FROM users LIKE 'b%';
SHOW COLUMNS FROM users WHERE Field = 'name';
SHOW FULL FIELDS FROM regions;
-- shape
SHOW INDEX FROM users;
-- shape
SHOW KEYS FROM order_items FROM shop;
-- shape
SHOW INDEX FROM coupons;
SHOW INDEX FROM users WHERE Key_name = 'nothing';
SHOW CREATE TABLE nothing;
SHOW COLUMNS FROM nothing;
SHOW INDEX FROM nothing;
SHOW FULL TABLES FROM `shop`;
SHOW FULL TABLES FROM `shop` LIKE 'items';
-- only: mysql
SHOW TABLES FROM nothing_here;
SHOW FULL TABLES WHERE Table_type = 'BASE TABLE';
SHOW FULL TABLES FROM shop WHERE Table_type != 'VIEW';
SHOW DATABASES LIKE 'shop';
SHOW DATABASES LIKE 'RDSAdmin';
SHOW DATABASES WHERE `Database` = 'shop';
-- shape
SHOW TABLE STATUS FROM shop;
-- shape
SHOW TABLE STATUS FROM shop LIKE 'orders';
SHOW TABLE STATUS FROM shop WHERE Name = 'nothing';
-- shape
EXPLAIN SELECT * FROM users WHERE user_id = 7;
-- shape
EXPLAIN SELECT * FROM users u JOIN orders o ON o.user_id = u.user_id WHERE u.user_id = 7;
-- shape
EXPLAIN SELECT count(*) FROM users;
-- shape
EXPLAIN FORMAT=JSON SELECT * FROM users WHERE user_id = 7;
-- shape
EXPLAIN UPDATE users SET name = 'x' WHERE user_id = 7;
-- shape
EXPLAIN SELECT * FROM coupons;
ANALYZE TABLE coupons;
ANALYZE TABLE users;
CHECK TABLE coupons;
CHECK TABLE users;
OPTIMIZE TABLE coupons;
-- shape
CHECKSUM TABLE coupons;
-- refused: statement
CHECKSUM TABLE users;
-- shape
SHOW VARIABLES;
SHOW VARIABLES LIKE 'lower_case_%';
SHOW SESSION VARIABLES LIKE 'sql_mode';
SHOW VARIABLES LIKE 'gtid\_mode';
SHOW VARIABLES WHERE Variable_name in ('max_allowed_packet','system_time_zone','time_zone','auto_increment_increment');
SHOW GLOBAL VARIABLES LIKE 'character_set_server';
-- shape
SHOW SESSION STATUS LIKE 'Ssl_cipher';
-- shape
SHOW GLOBAL STATUS LIKE 'Uptime';
SHOW ENGINES;
SHOW CHARSET;
SHOW COLLATION LIKE 'utf8mb4_general_ci';
SHOW COLLATION WHERE `Charset` = 'latin1' AND `Default` = 'Yes';
SHOW PRIVILEGES;
-- shape
SHOW PLUGINS;
-- only: mysql
-- shape
SHOW PROCESSLIST;
-- only: mysql
-- shape
SHOW FULL PROCESSLIST;
SELECT 1;
SHOW ERRORS;
SHOW COUNT(*) WARNINGS;
SHOW COUNT(*) ERRORS;
-- refused: statement
SHOW OPEN TABLES FROM shop LIKE 'nothing';
-- The session's functions, with and without FROM
SELECT LAST_INSERT_ID();
SELECT LAST_INSERT_ID(), ROW_COUNT(), FOUND_ROWS();
SELECT user_id FROM users WHERE user_id IN (1, 2, 17) ORDER BY user_id;
SELECT FOUND_ROWS();
UPDATE coupons SET uses_left = uses_left WHERE code = 'nothing';
SELECT ROW_COUNT();
SELECT LAST_INSERT_ID(12345);
SELECT LAST_INSERT_ID();
SELECT LAST_INSERT_ID(77) FROM users WHERE user_id = 7;
SELECT LAST_INSERT_ID(user_id) FROM users WHERE user_id = 7;
SELECT LAST_INSERT_ID(78);
SELECT LAST_INSERT_ID();
SELECT LAST_INSERT_ID() FROM users WHERE user_id = 7;
SELECT DATABASE() FROM users WHERE user_id = 7;
SELECT DATABASE(), USER() FROM coupons LIMIT 1;
SELECT SCHEMA() FROM regions WHERE region_id = 1;
SELECT user_id, DATABASE() AS d FROM users ORDER BY user_id LIMIT 3;
SELECT CONNECTION_ID() = CONNECTION_ID() AS same;
SELECT CONNECTION_ID() = CONNECTION_ID() AS same FROM users WHERE user_id = 7;
-- Transaction words
BEGIN WORK;
COMMIT WORK;
START TRANSACTION /*!40100 WITH CONSISTENT SNAPSHOT */;
SAVEPOINT sp;
ROLLBACK TO SAVEPOINT sp;
RELEASE SAVEPOINT sp;
ROLLBACK;
START TRANSACTION READ ONLY;
SELECT name FROM users WHERE user_id = 7;
COMMIT;
START TRANSACTION READ WRITE;
COMMIT AND CHAIN;
ROLLBACK AND NO CHAIN;
SAVEPOINT `a b`;
ROLLBACK TO SAVEPOINT nothing;
UNLOCK TABLES;
COMMIT;
LOCK TABLES coupons READ /*!32311 LOCAL */;
SELECT count(*) FROM coupons;
UNLOCK TABLES;
FLUSH /*!40101 LOCAL */ TABLES;
SET TRANSACTION ISOLATION LEVEL SERIALIZABLE;
SELECT name FROM users WHERE user_id = 7;
-- SQL-level prepare
PREPARE s FROM 'SELECT user_id, name FROM users WHERE user_id = ?';
SET @k = 7;
EXECUTE s USING @k;
SET @k = 8;
EXECUTE s USING @k;
DEALLOCATE PREPARE s;
EXECUTE s USING @k;
SET @q = 'SELECT count(*) FROM users WHERE user_id < ?';
PREPARE s FROM @q;
EXECUTE s USING @k;
DROP PREPARE s;
PREPARE s FROM 'SELECT nonsense FROM';
PREPARE s FROM 'UPDATE users SET score = score WHERE user_id = ?';
EXECUTE s USING @k;
EXECUTE s;
DEALLOCATE PREPARE s;
DEALLOCATE PREPARE s;
-- information_schema under logical names
SELECT SCHEMA_NAME FROM INFORMATION_SCHEMA.SCHEMATA WHERE SCHEMA_NAME <> 'performance_schema' ORDER BY SCHEMA_NAME;
SELECT SCHEMA_NAME, DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM INFORMATION_SCHEMA.SCHEMATA WHERE SCHEMA_NAME = 'shop';
SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY table_name;
SELECT TABLE_NAME, TABLE_TYPE, ENGINE, TABLE_COLLATION FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = 'shop' ORDER BY TABLE_NAME;
SELECT engine, table_type FROM INFORMATION_SCHEMA.TABLES WHERE table_schema = DATABASE() AND table_name = 'users';
SELECT COUNT(*) FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = 'shop' AND TABLE_NAME = 'users' AND TABLE_TYPE = 'BASE TABLE';
SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_TYPE = 'BASE TABLE' AND TABLE_NAME = 'users' AND TABLE_SCHEMA = 'shop';
SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, ORDINAL_POSITION, COLUMN_DEFAULT, IS_NULLABLE, DATA_TYPE, COLUMN_TYPE, COLUMN_KEY, EXTRA FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_SCHEMA = 'shop' ORDER BY TABLE_NAME, ORDINAL_POSITION;
SELECT column_name FROM information_schema.columns c WHERE c.table_schema = DATABASE() AND c.table_name = 'orders' ORDER BY c.ordinal_position;
SELECT INDEX_NAME, COLUMN_NAME, NON_UNIQUE, SEQ_IN_INDEX FROM information_schema.STATISTICS WHERE table_schema = 'shop' AND table_name = 'users' ORDER BY INDEX_NAME, SEQ_IN_INDEX;
SELECT kcu.CONSTRAINT_NAME, kcu.COLUMN_NAME, kcu.REFERENCED_TABLE_NAME, tc.CONSTRAINT_TYPE FROM information_schema.key_column_usage kcu JOIN information_schema.table_constraints tc ON tc.constraint_name = kcu.constraint_name AND tc.table_schema = kcu.table_schema AND tc.table_name = kcu.table_name WHERE kcu.table_schema = DATABASE() AND kcu.table_name = 'regions' ORDER BY 1, 2;
SELECT CONSTRAINT_NAME FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = 'shop';
SELECT TABLE_NAME FROM information_schema.VIEWS WHERE TABLE_SCHEMA = 'shop';
SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = 'shop';
SELECT ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = 'shop';
SELECT EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA = 'shop';
SELECT PARTITION_NAME FROM information_schema.PARTITIONS WHERE TABLE_SCHEMA = 'shop' AND TABLE_NAME = 'users';
SELECT CHARACTER_SET_NAME FROM information_schema.CHARACTER_SETS WHERE CHARACTER_SET_NAME = 'utf8mb4';
SELECT COLLATION_NAME FROM information_schema.COLLATIONS WHERE COLLATION_NAME = 'utf8mb4_bin';
SELECT ENGINE, SUPPORT FROM information_schema.ENGINES WHERE ENGINE = 'InnoDB';
-- only: mariadb
SELECT DISTINCT TABLESPACE_NAME, FILE_NAME, LOGFILE_GROUP_NAME, EXTENT_SIZE, INITIAL_SIZE, ENGINE FROM INFORMATION_SCHEMA.FILES WHERE FILE_TYPE = 'DATAFILE' AND TABLESPACE_NAME IN (SELECT DISTINCT TABLESPACE_NAME FROM INFORMATION_SCHEMA.PARTITIONS WHERE TABLE_SCHEMA IN ('shop')) ORDER BY TABLESPACE_NAME, LOGFILE_GROUP_NAME;
SELECT TABLE_SCHEMA FROM information_schema.TABLES WHERE TABLE_SCHEMA NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys') GROUP BY TABLE_SCHEMA;
-- shape
SELECT * FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shop';
-- shape
SELECT * FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = 'shop' AND TABLE_NAME = 'users';
-- shape
SELECT ID, USER, DB FROM information_schema.PROCESSLIST;
-- shape
SELECT * FROM information_schema.PROCESSLIST;
SELECT USER, COMMAND, INFO FROM information_schema.PROCESSLIST WHERE ID = CONNECTION_ID();
SELECT TRX_ID FROM information_schema.INNODB_TRX;
-- Connector/J and MariaDB Connector/J
SELECT TABLE_SCHEMA, NULL, TABLE_NAME, NON_UNIQUE, TABLE_SCHEMA, INDEX_NAME, 3, SEQ_IN_INDEX, COLUMN_NAME, COLLATION, NULL, NULL FROM INFORMATION_SCHEMA.STATISTICS WHERE TABLE_SCHEMA = 'shop' AND TABLE_NAME = 'order_items' ORDER BY NON_UNIQUE, INDEX_NAME, SEQ_IN_INDEX;
SELECT A.CONSTRAINT_SCHEMA, A.TABLE_NAME, A.COLUMN_NAME, A.REFERENCED_TABLE_NAME, A.ORDINAL_POSITION FROM INFORMATION_SCHEMA.KEY_COLUMN_USAGE A JOIN INFORMATION_SCHEMA.TABLE_CONSTRAINTS B USING (TABLE_SCHEMA, TABLE_NAME, CONSTRAINT_NAME) WHERE B.CONSTRAINT_TYPE = 'UNIQUE' AND A.TABLE_SCHEMA LIKE 'shop' ORDER BY A.TABLE_NAME, A.ORDINAL_POSITION, A.COLUMN_NAME;
SELECT TABLE_SCHEMA TABLE_CAT, NULL TABLE_SCHEM, TABLE_NAME, IF(TABLE_TYPE='BASE TABLE' or TABLE_TYPE='SYSTEM VERSIONED', 'TABLE', TABLE_TYPE) as TABLE_TYPE, TABLE_COMMENT REMARKS FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = 'shop' AND (TABLE_NAME LIKE 'order%') ORDER BY TABLE_TYPE, TABLE_SCHEMA, TABLE_NAME;
-- Django
SELECT table_name, table_type, table_comment FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name LIKE '%s' AND table_name NOT LIKE '%of_a_test' ORDER BY table_name;
SELECT column_name, data_type, character_maximum_length, numeric_precision, numeric_scale, extra, column_default, CASE WHEN collation_name = 'utf8mb4_general_ci' THEN NULL ELSE collation_name END AS collation_name, CASE WHEN column_type LIKE '%% unsigned' THEN 1 ELSE 0 END AS is_unsigned, column_comment FROM information_schema.columns WHERE table_name = 'users' AND table_schema = DATABASE() ORDER BY column_name;
SELECT kc.constraint_name, kc.column_name, kc.referenced_table_name, kc.referenced_column_name, c.constraint_type FROM information_schema.key_column_usage AS kc, information_schema.table_constraints AS c WHERE kc.table_schema = DATABASE() AND (kc.referenced_table_schema = DATABASE() OR kc.referenced_table_schema IS NULL) AND c.table_schema = kc.table_schema AND c.constraint_name = kc.constraint_name AND c.constraint_type != 'CHECK' AND kc.table_name = 'order_items' ORDER BY kc.constraint_name, kc.column_name, c.constraint_type LIMIT 3;
-- only: mariadb
SELECT constraint_name, check_clause FROM information_schema.check_constraints WHERE constraint_schema = DATABASE() AND table_name = 'users';
-- only: mysql
SELECT cc.constraint_name, cc.check_clause FROM information_schema.check_constraints AS cc, information_schema.table_constraints AS tc WHERE cc.constraint_schema = DATABASE() AND tc.table_schema = cc.constraint_schema AND cc.constraint_name = tc.constraint_name AND tc.constraint_type = 'CHECK' AND tc.table_name = 'users';
-- Rails
SELECT table_name FROM (SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = database()) _subquery WHERE _subquery.table_type = 'BASE TABLE' AND table_name LIKE '%s' ORDER BY 1;
SELECT fk.referenced_table_name AS 'to_table', fk.referenced_column_name AS 'primary_key', fk.column_name AS 'column', fk.constraint_name AS 'name', fk.ordinal_position AS 'position', rc.update_rule AS 'on_update', rc.delete_rule AS 'on_delete' FROM information_schema.referential_constraints rc JOIN information_schema.key_column_usage fk USING (constraint_schema, constraint_name) WHERE fk.referenced_column_name IS NOT NULL AND fk.table_schema = database() AND fk.table_name = 'orders' AND rc.constraint_schema = database() AND rc.table_name = 'orders';
SELECT column_name FROM information_schema.statistics WHERE index_name = 'PRIMARY' AND table_schema = database() AND table_name = 'orders' ORDER BY seq_in_index;
SELECT table_comment FROM information_schema.tables WHERE table_schema = database() AND table_name = 'stock';
-- TypeORM
SELECT * FROM (SELECT `TABLE_SCHEMA`, `TABLE_NAME` FROM `INFORMATION_SCHEMA`.`TABLES` WHERE `TABLE_SCHEMA` = 'shop' AND `TABLE_NAME` = 'users' UNION SELECT `TABLE_SCHEMA`, `TABLE_NAME` FROM `INFORMATION_SCHEMA`.`TABLES` WHERE `TABLE_SCHEMA` = 'shop' AND `TABLE_NAME` = 'items') t ORDER BY TABLE_NAME;
SELECT `s`.`TABLE_NAME`, `s`.`INDEX_NAME`, `s`.`COLUMN_NAME` FROM `INFORMATION_SCHEMA`.`STATISTICS` `s` LEFT JOIN (SELECT * FROM `INFORMATION_SCHEMA`.`REFERENTIAL_CONSTRAINTS` WHERE `CONSTRAINT_SCHEMA` = 'shop' AND `TABLE_NAME` = 'orders') `rc` ON `s`.`INDEX_NAME` = `rc`.`CONSTRAINT_NAME` AND `s`.`TABLE_SCHEMA` = `rc`.`CONSTRAINT_SCHEMA` WHERE `s`.`TABLE_SCHEMA` = 'shop' AND `s`.`TABLE_NAME` = 'orders' AND `s`.`INDEX_NAME` != 'PRIMARY' AND `rc`.`CONSTRAINT_NAME` IS NULL ORDER BY 2, 3;
-- Flyway
SELECT SUM(found) > 0 FROM ((SELECT 1 as found FROM information_schema.tables WHERE table_schema='shop') UNION ALL (SELECT 1 as found FROM information_schema.views WHERE table_schema='shop' LIMIT 1) UNION ALL (SELECT 1 as found FROM information_schema.table_constraints WHERE table_schema='shop' LIMIT 1) UNION ALL (SELECT 1 as found FROM information_schema.triggers WHERE event_object_schema='shop' LIMIT 1) UNION ALL (SELECT 1 as found FROM information_schema.routines WHERE routine_schema='shop' LIMIT 1)) as all_found;
-- Doctrine
SELECT DISTINCT k.CONSTRAINT_NAME, k.COLUMN_NAME, k.REFERENCED_TABLE_NAME, k.REFERENCED_COLUMN_NAME FROM information_schema.key_column_usage k INNER JOIN information_schema.referential_constraints c ON c.CONSTRAINT_NAME = k.CONSTRAINT_NAME AND c.TABLE_NAME = k.TABLE_NAME WHERE k.TABLE_NAME = 'users' AND k.TABLE_SCHEMA = 'shop' AND c.CONSTRAINT_SCHEMA = 'shop' AND k.REFERENCED_COLUMN_NAME IS NOT NULL;
SELECT ccsa.CHARACTER_SET_NAME, t.ENGINE, t.TABLE_COLLATION FROM information_schema.TABLES t INNER JOIN information_schema.COLLATION_CHARACTER_SET_APPLICABILITY ccsa ON ccsa.COLLATION_NAME = t.TABLE_COLLATION WHERE t.TABLE_SCHEMA = 'shop' AND t.TABLE_TYPE = 'BASE TABLE' AND t.TABLE_NAME IN ('users', 'items') ORDER BY t.TABLE_NAME;
-- One server's sums and joins
WITH c AS (SELECT TABLE_NAME, COUNT(*) AS n FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = 'shop' GROUP BY TABLE_NAME) SELECT t.TABLE_NAME, c.n FROM information_schema.TABLES AS t LEFT JOIN c ON c.TABLE_NAME = t.TABLE_NAME WHERE t.TABLE_SCHEMA = 'shop' AND t.TABLE_NAME IN ('users', 'orders', 'coupons') ORDER BY 1;
SELECT s.SCHEMA_NAME, COUNT(t.TABLE_NAME) > 6 FROM information_schema.SCHEMATA s LEFT JOIN information_schema.TABLES t ON t.TABLE_SCHEMA = s.SCHEMA_NAME WHERE s.SCHEMA_NAME = 'shop' GROUP BY s.SCHEMA_NAME;
SELECT u.name, c.COLUMN_NAME FROM coupons AS k, users AS u, information_schema.COLUMNS AS c WHERE u.user_id = 7 AND c.TABLE_SCHEMA = 'shop' AND c.TABLE_NAME = 'coupons' AND k.code IS NULL;
SELECT TABLE_NAME, (SELECT COUNT(*) FROM information_schema.STATISTICS s WHERE s.TABLE_SCHEMA = t.TABLE_SCHEMA AND s.TABLE_NAME = t.TABLE_NAME) AS keys_ FROM information_schema.TABLES t WHERE t.TABLE_SCHEMA = 'shop' AND t.TABLE_NAME LIKE 'order%' ORDER BY 1;
-- shape
SELECT * FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = 'shop';
-- shape
SELECT * FROM information_schema.PARTITIONS WHERE TABLE_SCHEMA = 'shop';
SELECT * FROM information_schema.KEY_COLUMN_USAGE WHERE TABLE_SCHEMA = 'shop' AND TABLE_NAME NOT LIKE '%of_a_test';
SELECT * FROM information_schema.TABLE_CONSTRAINTS WHERE TABLE_SCHEMA = 'shop';
SELECT * FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = 'shop';
SELECT * FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = 'shop';
SELECT * FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = 'shop' AND TABLE_NAME = 'orders';
SELECT * FROM information_schema.NO_SUCH_TABLE;
SELECT no_such_column FROM information_schema.TABLES;
-- shape
SELECT * FROM information_schema.SCHEMA_PRIVILEGES;
SELECT PRIVILEGE_TYPE FROM information_schema.USER_PRIVILEGES;
SELECT COUNT(*) > 3 FROM information_schema.SCHEMA_PRIVILEGES WHERE TABLE_SCHEMA = 'shop' AND GRANTEE = "'shop'@'%'";
-- Scripts that change a table only where it isn't changed yet
SET @n = (SELECT COUNT(*) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = 'shop' AND TABLE_NAME = 'users' AND COLUMN_NAME = 'score');
SELECT @n;
SET @sql = IF((SELECT COUNT(*) FROM information_schema.STATISTICS WHERE table_schema = DATABASE() AND table_name = 'users' AND index_name = 'name') > 0, 'SELECT 1 AS done', 'ALTER TABLE users ADD INDEX name (name)');
PREPARE s FROM @sql;
EXECUTE s;
DEALLOCATE PREPARE s;
SELECT COUNT(*), MAX(TABLE_NAME) INTO @a, @b FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shop' AND TABLE_NAME LIKE 'order%';
SELECT @a, @b;
-- refused: information_schema
SELECT @c := TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shop';
SHOW TABLES LIKE 'order%';
SHOW FULL TABLES WHERE Table_type = 'BASE TABLE' AND Tables_in_shop LIKE 'u%';
SHOW FULL TABLES FROM shop LIKE 'no_such';
-- shape
SHOW TABLE STATUS LIKE 'users';
-- shape
SHOW TABLE STATUS FROM shop WHERE Name = 'orders';
SHOW TABLES FROM information_schema LIKE 'SCHEMATA';
USE information_schema;
SELECT DATABASE();
SELECT table_name FROM tables WHERE table_schema = 'shop' ORDER BY table_name;
SELECT name FROM shop.users WHERE user_id = 7;
USE shop;
SELECT DATABASE();
-- Probes of other system schemas: ordinary answers or errors, never a dropped connection
-- refused: database_access_denied
SELECT count(*) >= 0 FROM performance_schema.global_variables WHERE VARIABLE_NAME = 'pxc_strict_mode';
-- refused: database_access_denied
SELECT 1 FROM mysql.user LIMIT 1;
SELECT @@GLOBAL.character_set_server, @@GLOBAL.collation_server;
SELECT @@GLOBAL.WSREP_ON;
SELECT @@sql_safe_updates, @@foreign_key_checks;
SELECT SUBSTRING_INDEX(USER(),'@',1);
SELECT unknown_function(1);
SELECT shop.unknown_function(1);
CALL nothing();
SELECT @@no_such_variable;
SELECT * FROM users WHERE user_id = 7 AND;
