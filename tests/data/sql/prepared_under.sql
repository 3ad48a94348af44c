-- A prepared text keeps the schema and the reading that it was prepared under.
PREPARE here FROM 'SELECT COUNT(*) FROM users';
PREPARE one FROM 'SELECT name FROM users WHERE user_id = 7';
USE information_schema;
EXECUTE here;
EXECUTE one;
SELECT COUNT(*) FROM SCHEMATA WHERE SCHEMA_NAME = 'shop';
PREPARE there FROM 'SELECT COUNT(*) FROM SCHEMATA WHERE SCHEMA_NAME = ''shop''';
USE shop;
EXECUTE there;
EXECUTE here;
SET sql_mode = 'ANSI_QUOTES';
PREPARE quoted FROM 'SELECT "user_id" FROM users WHERE user_id = 5';
PREPARE plain FROM 'SELECT user_id FROM users WHERE user_id = 5';
EXECUTE quoted;
SET sql_mode = 'STRICT_TRANS_TABLES';
-- refused: prepared_otherwise
EXECUTE quoted;
EXECUTE plain;
SET sql_mode = 'STRICT_TRANS_TABLES,PIPES_AS_CONCAT';
PREPARE piped FROM 'SELECT user_id FROM users WHERE user_id = (1 || 2)';
EXECUTE piped;
SET sql_mode = 'STRICT_TRANS_TABLES';
-- refused: prepared_otherwise
EXECUTE piped;
SET sql_mode = 'STRICT_TRANS_TABLES,ANSI_QUOTES,PIPES_AS_CONCAT';
EXECUTE piped;
DEALLOCATE PREPARE quoted;
-- Literals and parameters keep their collation.
SET sql_mode = DEFAULT;
SET NAMES utf8mb4 COLLATE utf8mb4_bin;
PREPARE exact FROM 'SELECT COUNT(*) FROM users WHERE CONCAT(user_id, ''A'') = ''3a''';
EXECUTE exact;
SET NAMES utf8mb4;
EXECUTE exact;
SELECT @@collation_connection = 'utf8mb4_bin';
SELECT COUNT(*) FROM users WHERE CONCAT(user_id, 'A') = '3a';
SET NAMES utf8mb4 COLLATE utf8mb4_bin;
EXECUTE exact;
PREPARE back FROM 'SET NAMES utf8mb4 COLLATE utf8mb4_bin';
SET NAMES utf8mb4;
EXECUTE back;
SELECT @@collation_connection;
