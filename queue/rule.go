package queue

import "context"

// RuleAlone waits until no other host that shares the queue rules about what may go
// out, and keeps them waiting until done is called: a cap is one for all of them. Where
// one daemon works the queue there is nobody to wait for.
func (s *Store) RuleAlone(ctx context.Context) (done func(), err error) {
	if s.engine.ruleLock == "" {
		return func() {}, nil
	}
	if err := s.engine.ready(s, ctx); err != nil {
		return nil, s.explain(err)
	}
	tx, err := s.begin(ctx, s.reader, nil)
	if err != nil {
		return nil, s.explain(err)
	}
	if _, err := tx.ExecContext(ctx, s.engine.ruleLock); err != nil {
		tx.Rollback() // err says more
		return nil, s.explain(err)
	}
	return func() { tx.Rollback() }, nil // the lock goes with the transaction, however it ends
}
