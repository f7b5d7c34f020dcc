package queue

import (
	"context"
	"database/sql"
	"strings"
	"sync"
)

// pool compiles the statements that run again and again: SQLite takes longer to
// compile most of them than to run them. pgx does so for PostgreSQL by itself.
type pool struct {
	*sql.DB

	mu       sync.Mutex
	compiled map[string]*sql.Stmt // by text, closed with DB; nil for an engine that needs none
	asked    map[string]int       // how often the others ran
	wanted   []string             // of those, what is to be compiled
}

const (
	maxCompiled = 256 // searches have texts without end
	oftenAsked  = 3
)

func newPool(db *sql.DB, compiles bool) *pool {
	p := &pool{DB: db}
	if compiles {
		p.compiled, p.asked = make(map[string]*sql.Stmt), make(map[string]int)
	}
	return p
}

// find returns the compiled statement, or nil.
func (p *pool) find(query string) *sql.Stmt {
	if p == nil || p.compiled == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if stmt := p.compiled[query]; stmt != nil || len(p.compiled)+len(p.wanted) >= maxCompiled {
		return stmt
	}
	if len(p.asked) > 4*maxCompiled {
		clear(p.asked)
	}
	if p.asked[query]++; p.asked[query] == oftenAsked {
		p.wanted = append(p.wanted, query)
	}
	return nil
}

// compile does what transactions have asked for. It needs a connection, and so runs
// outside of them. What can't be compiled, for want of time or for good, runs as
// before.
func (p *pool) compile(ctx context.Context) {
	p.mu.Lock()
	wanted := p.wanted
	p.wanted = nil
	p.mu.Unlock()
	for _, query := range wanted {
		stmt, err := p.PrepareContext(ctx, query)
		p.mu.Lock()
		delete(p.asked, query)
		if err == nil {
			p.compiled[query] = stmt
		}
		p.mu.Unlock()
	}
}

func (p *pool) begin(ctx context.Context, o *sql.TxOptions) (*transaction, error) {
	p.compile(ctx)
	tx, err := p.BeginTx(ctx, o)
	return &transaction{Tx: tx, pool: p}, err
}

// QueryRowContext is a transaction of one query.
func (p *pool) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	p.compile(ctx)
	if stmt := p.find(query); stmt != nil {
		return stmt.QueryRowContext(ctx, args...)
	}
	return p.DB.QueryRowContext(ctx, query, args...)
}

// transaction runs the compiled statements of its pool.
type transaction struct {
	*sql.Tx
	pool *pool // nil: as they come
	// touched says that a statement has changed something, or has failed, which ends a
	// transaction with PostgreSQL and may do so with SQLite.
	touched bool
}

// ExecContext is that of the Tx.
func (t *transaction) ExecContext(ctx context.Context, query string, args ...any) (result sql.Result, err error) {
	if stmt := t.pool.find(query); stmt != nil {
		result, err = t.StmtContext(ctx, stmt).ExecContext(ctx, args...)
	} else {
		result, err = t.Tx.ExecContext(ctx, query, args...)
	}
	t.touched = t.touched || err != nil || !reads(query)
	return result, err
}

// QueryContext is that of the Tx.
func (t *transaction) QueryContext(ctx context.Context, query string, args ...any) (rows *sql.Rows, err error) {
	if stmt := t.pool.find(query); stmt != nil {
		rows, err = t.StmtContext(ctx, stmt).QueryContext(ctx, args...)
	} else {
		rows, err = t.Tx.QueryContext(ctx, query, args...)
	}
	t.touched = t.touched || err != nil || !reads(query)
	return rows, err
}

// QueryRowContext is that of the Tx.
func (t *transaction) QueryRowContext(ctx context.Context, query string, args ...any) (row *sql.Row) {
	if stmt := t.pool.find(query); stmt != nil {
		row = t.StmtContext(ctx, stmt).QueryRowContext(ctx, args...)
	} else {
		row = t.Tx.QueryRowContext(ctx, query, args...)
	}
	t.touched = t.touched || row.Err() != nil || !reads(query)
	return row
}

// reads reports whether a query changes nothing for sure.
func reads(query string) bool {
	return strings.HasPrefix(strings.TrimSpace(query), "SELECT")
}
