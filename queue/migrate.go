package queue

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*/*.sql
var migrations embed.FS

// migrate compares the schema with the one we know, and as a daemon brings it
// there. Commands must not: the daemon that runs beside them may be
// of the older version.
func (s *Store) migrate(ctx context.Context) error {
	p, err := s.provider()
	if err != nil {
		return err
	}
	sources := p.ListSources()
	want := sources[len(sources)-1].Version
	have, err := s.schemaVersion(ctx)
	switch {
	case err != nil:
		return err
	case have > want:
		return fmt.Errorf("queue %s has schema %d, this program knows %d: it was written by a newer version, install that", s.place, have, want)
	case have == want:
		return nil
	case !s.daemon:
		return fmt.Errorf("queue %s has schema %d, this program needs %d: start `spamreport-milter serve` of this version first", s.place, have, want)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("bring queue %s from schema %d to %d: %w", s.place, have, want, err)
	}
	s.log.Info("queue schema brought up to date", "queue", s.place, "from", have, "to", want)
	return nil
}

func (s *Store) provider() (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations/"+s.engine.name)
	if err != nil {
		return nil, err
	}
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true), goose.WithGoMigrations(s.engine.upgrades...)}
	if s.engine.locker != nil {
		locker, err := s.engine.locker()
		if err != nil {
			return nil, err
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	return goose.NewProvider(s.engine.goose, s.writer.DB, files, options...)
}

// schemaVersion is 0 for an empty database.
func (s *Store) schemaVersion(ctx context.Context) (version int64, err error) {
	var tables, ours int
	err = s.writer.QueryRowContext(ctx, s.engine.tables, goose.DefaultTablename).Scan(&tables, &ours)
	if err != nil || tables == 0 {
		return 0, err
	}
	if ours == 0 {
		return 0, fmt.Errorf("%s is the database of another program: name another one", s.place)
	}
	err = s.writer.QueryRowContext(ctx, `SELECT coalesce(max(version_id), 0) FROM `+goose.DefaultTablename+` WHERE is_applied`).Scan(&version)
	return version, err
}
