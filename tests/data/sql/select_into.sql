-- SELECT … INTO @variables of rows that lie in several shards.
SELECT COUNT(*), SUM(user_id) INTO @count, @sum FROM users;
SELECT @count, @sum;
SELECT ROW_COUNT();
SELECT user_id, name FROM users ORDER BY user_id DESC LIMIT 1 INTO @id, @Name;
SELECT @id, @name;
SELECT u.user_id, i.title INTO @id, @title FROM users u JOIN items i ON i.item_id = u.user_id ORDER BY u.user_id LIMIT 1;
SELECT @id, @title;
SELECT user_id INTO @none FROM users WHERE user_id < 0;
SHOW WARNINGS;
SELECT @none;
SELECT user_id INTO @id FROM users ORDER BY user_id;
SELECT user_id INTO @a, @b FROM users ORDER BY user_id LIMIT 1;
PREPARE least FROM 'SELECT MIN(user_id), ? INTO @least, @given FROM users WHERE user_id > ?';
SET @above = 17, @seven = 7;
EXECUTE least USING @seven, @above;
SELECT @least, @given;
SELECT user_id INTO @one FROM users WHERE user_id = 5;
SELECT @one;
-- Of subqueries, unions and what the session knows.
SELECT (SELECT MAX(region_id) FROM regions), COUNT(*) INTO @region, @count FROM orders;
SELECT @region, @count;
SELECT COUNT(*) INTO @all FROM (SELECT user_id FROM users UNION SELECT item_id FROM items) x;
SELECT @all;
SET @all = (SELECT COUNT(*) + ROW_COUNT() FROM users);
SELECT DATABASE(), COUNT(*) INTO @schema, @count FROM users;
SELECT @schema, @count;
-- Its hint is as good as the variable.
SELECT /*+ SET_VAR(sql_select_limit = 3) */ user_id FROM users ORDER BY user_id;
SELECT user_id FROM users ORDER BY user_id;
SELECT /*+ SET_VAR(sql_select_limit = 5) */ user_id FROM users ORDER BY user_id;
SELECT /*+ SET_VAR(sql_select_limit = 1) */ level, COUNT(*) FROM users GROUP BY level ORDER BY level;
-- A FLOAT's text is rounded.
-- refused: variable_float
SELECT score INTO @score FROM users ORDER BY user_id DESC LIMIT 1;
SELECT score * 1e0 INTO @score FROM users ORDER BY user_id DESC LIMIT 1;
SELECT COUNT(*) FROM users WHERE score = @score AND user_id = 200;
