// go-sql-driver/mysql: text, interpolated, prepared, transactions, contexts, LOAD DATA LOCAL.
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"
)

func dsn(options string) string {
	env := os.Getenv
	return fmt.Sprintf("%s:%s@tcp(%s:%s)/shop?%s", env("WEIR_USER"), env("WEIR_PASSWORD"), env("WEIR_HOST"), env("WEIR_PORT"), options)
}

func open(options string) *sql.DB {
	db, err := sql.Open("mysql", dsn(options))
	if err != nil {
		fmt.Println("open", err)
		os.Exit(1)
	}
	return db
}

func clean(err error) string {
	var failure *mysql.MySQLError
	if errors.As(err, &failure) {
		text := strings.Split(failure.Message, " [weir:")[0]
		return fmt.Sprintf("%d %s %s", failure.Number, failure.SQLState, text)
	}
	return err.Error()
}

type asker interface {
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	ExecContext(context.Context, string, ...any) (sql.Result, error)
}

func short(text string) string {
	if len(text) > 70 {
		return text[:70]
	}
	return text
}

func ask(db asker, query string, args ...any) {
	rows, err := db.QueryContext(context.Background(), query, args...)
	if err != nil {
		fmt.Println(short(query), "->", clean(err))
		return
	}
	defer rows.Close()
	kinds, _ := rows.ColumnTypes()
	var names []string
	for _, kind := range kinds {
		nullable, _ := kind.Nullable()
		precision, scale, _ := kind.DecimalSize()
		name := kind.Name()
		if strings.HasPrefix(query, "SHOW") {
			// Which table the rows of SHOW come from, servers say differently.
			name = name[strings.LastIndex(name, ".")+1:]
		}
		names = append(names, fmt.Sprintf("%s %s %v %d %d", name, kind.DatabaseTypeName(), nullable, precision, scale))
	}
	count := 0
	var shown []string
	for rows.Next() {
		values := make([]any, len(kinds))
		places := make([]any, len(kinds))
		for i := range values {
			places[i] = &values[i]
		}
		if err := rows.Scan(places...); err != nil {
			fmt.Println("scan", err)
			return
		}
		if count < 6 {
			var texts []string
			for _, value := range values {
				switch value := value.(type) {
				case []byte:
					texts = append(texts, fmt.Sprintf("%q", short(string(value))))
				case time.Time:
					texts = append(texts, value.UTC().Format(time.RFC3339Nano))
				default:
					texts = append(texts, fmt.Sprintf("%T %v", value, value))
				}
			}
			shown = append(shown, strings.Join(texts, ", "))
		}
		count++
	}
	if err := rows.Err(); err != nil {
		fmt.Println(short(query), "->", clean(err))
		return
	}
	fmt.Println(short(query), "->", names, count, "rows:", strings.Join(shown, " | "))
}

func do(db asker, query string, args ...any) {
	result, err := db.ExecContext(context.Background(), query, args...)
	if err != nil {
		fmt.Println(short(query), "->", clean(err))
		return
	}
	affected, _ := result.RowsAffected()
	id, _ := result.LastInsertId()
	fmt.Println(short(query), "->", affected, "affected, id", id)
}

func steps(db asker) {
	ask(db, "SELECT * FROM users WHERE user_id = ?", 7)
	ask(db, "SELECT user_id, name FROM users WHERE user_id = ?", "9")
	ask(db, "SELECT user_id, name, born, score FROM users WHERE user_id <= ? ORDER BY user_id DESC LIMIT 4", 50)
	ask(db, "SELECT count(*), sum(balance), avg(score), max(registered_at) FROM users WHERE user_id > ?", 0)
	ask(db, "SELECT item_id, attributes, picture, weight_kg, flash_sale FROM items WHERE item_id = ?", 3)
	ask(db, "SELECT status, count(*) AS n FROM orders GROUP BY status ORDER BY status")
	ask(db, "SELECT u.name, r.name FROM users u JOIN regions r ON r.region_id = u.region_id WHERE u.user_id = ?", 5)
	ask(db, "SELECT user_id FROM users WHERE user_id = ?", nil)
	ask(db, "SELECT nosuch FROM users WHERE user_id = ?", 1)
	ask(db, "SELECT ?, ?, ?, ?", "täxt", 12.5, []byte{0, 255, 39}, time.Date(2024, 2, 29, 12, 0, 0, 5000, time.UTC))
	do(db, "DELETE FROM users WHERE user_id = ?", 820000)
	do(db, "INSERT INTO users (user_id, name, email, region_id, registered_at) VALUES (?, ?, ?, ?, ?)", 820000, "Ünï'\\\"", "a@b", 1, time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC))
	do(db, "INSERT INTO users (user_id, name, email, region_id, registered_at) VALUES (?, ?, ?, ?, ?)", 820000, "x", "y", 1, "2024-01-01")
	do(db, "UPDATE users SET name = ? WHERE user_id = ?", "changed", 820000)
	do(db, "UPDATE users SET name = ? WHERE user_id = ?", "changed", 820000)
	ask(db, "SELECT name, registered_at FROM users WHERE user_id = ?", 820000)
	do(db, "DELETE FROM users WHERE user_id = ?", 820000)
	ask(db, "SHOW TABLES")
	ask(db, "SHOW CREATE TABLE regions")
	ask(db, "SELECT DATABASE(), USER(), @@autocommit")
	ask(db, "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = ? ORDER BY ordinal_position", "users")
}

func transactions(db *sql.DB) {
	tx, err := db.BeginTx(context.Background(), &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		fmt.Println("begin", clean(err))
		return
	}
	do(tx, "UPDATE users SET name = ? WHERE user_id = ?", "inside", 3)
	ask(tx, "SELECT name FROM users WHERE user_id = 3")
	fmt.Println("rollback", tx.Rollback())
	ask(db, "SELECT name FROM users WHERE user_id = 3")
	tx, err = db.BeginTx(context.Background(), &sql.TxOptions{ReadOnly: true})
	if err != nil {
		fmt.Println("begin read only", clean(err))
		return
	}
	do(tx, "UPDATE users SET name = ? WHERE user_id = ?", "inside", 3)
	fmt.Println("commit", tx.Commit())
}

func contexts(db *sql.DB) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	start := time.Now()
	_, err := db.ExecContext(ctx, "SELECT SLEEP(20) FROM users WHERE user_id = 1")
	fmt.Println("cancelled", errors.Is(err, context.DeadlineExceeded), time.Since(start) < 5*time.Second)
	ask(db, "SELECT user_id FROM users WHERE user_id = 2")
	var group sync.WaitGroup
	sums := make([]int, 16)
	for worker := range sums {
		group.Add(1)
		go func() {
			defer group.Done()
			for key := worker + 1; key <= 200; key += 16 {
				var id int
				if err := db.QueryRow("SELECT user_id FROM users WHERE user_id = ?", key).Scan(&id); err != nil || id != key {
					fmt.Println("wrong row", key, id, err)
				}
				sums[worker] += id
			}
		}()
	}
	group.Wait()
	fmt.Println("in parallel", sums)
}

func prepared(db *sql.DB) {
	statement, err := db.Prepare("SELECT user_id, name FROM users WHERE user_id = ?")
	if err != nil {
		fmt.Println("prepare", clean(err))
		return
	}
	defer statement.Close()
	for _, key := range []any{1, "2", 3.0, int64(17), nil} {
		var id sql.NullInt64
		var name sql.NullString
		err := statement.QueryRow(key).Scan(&id, &name)
		fmt.Println("prepared", key, id.Int64, name.String, err)
	}
}

func several() {
	db := open("multiStatements=true")
	defer db.Close()
	rows, err := db.Query("SELECT 1; SELECT user_id FROM users WHERE user_id = 7; SELECT count(*) FROM users")
	if err != nil {
		fmt.Println("several", clean(err))
		return
	}
	defer rows.Close()
	for {
		for rows.Next() {
			var n int
			fmt.Println("result", rows.Scan(&n), n)
		}
		if !rows.NextResultSet() {
			break
		}
	}
	fmt.Println(rows.Err())
}

func local() {
	mysql.RegisterReaderHandler("coupons", func() io.Reader {
		var text strings.Builder
		for n := range 30 {
			fmt.Fprintf(&text, "GO%d\t%d\t%d\t2030-01-01 00:00:00\n", n, n, n)
		}
		return strings.NewReader(text.String())
	})
	db := open("")
	defer db.Close()
	do(db, "LOAD DATA LOCAL INFILE 'Reader::coupons' INTO TABLE coupons")
	ask(db, "SELECT count(*), sum(percent) FROM coupons WHERE code LIKE 'GO%'")
	do(db, "DELETE FROM coupons WHERE code LIKE 'GO%'")
}

func main() {
	for _, options := range []string{
		"",
		"interpolateParams=true&parseTime=true",
		"clientFoundRows=true&charset=utf8mb4&collation=utf8mb4_general_ci&time_zone=%27%2B00%3A00%27",
		"compress=true",
		"tls=skip-verify",
		"maxAllowedPacket=0&columnsWithAlias=true",
	} {
		fmt.Println("==", options)
		db := open(options)
		steps(db)
		prepared(db)
		transactions(db)
		contexts(db)
		db.Close()
	}
	several()
	local()
}
