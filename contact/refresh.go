package contact

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

const (
	bootstrapBase = "https://data.iana.org/rdap/" // RFC 9224 §3
	refreshPeriod = 24 * time.Hour
	bootstrapDir  = "bootstrap" // in Config.State
)

// Refresh fetches IANA's bootstrap files once a day and uses them from then on,
// until ctx ends. Without Config.State, or with a directory of the operator's own,
// it returns at once. What can't be fetched or read leaves all as it was.
func (f *Finder) Refresh(ctx context.Context) {
	if f.config.State == "" || f.config.Bootstrap != "" {
		return
	}
	for {
		wait := time.Until(f.refreshed().Add(refreshPeriod))
		if wait <= 0 {
			if err := f.refresh(ctx); err != nil && ctx.Err() == nil {
				f.config.Log.Warn("registries' bootstrap files not refreshed, the older ones stay in use; next try in a day", "err", err)
			}
			wait = refreshPeriod
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

// refreshed is when the files were fetched last; the zero time for never.
func (f *Finder) refreshed() time.Time {
	info, err := os.Stat(filepath.Join(f.config.State, bootstrapDir, bootstrapFiles[0].name))
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// loadBootstrap reads the operator's files, or those that were fetched, or the
// embedded ones.
func (f *Finder) loadBootstrap() (*bootstrap, error) {
	if f.config.Bootstrap != "" {
		return loadBootstrap(os.DirFS(f.config.Bootstrap))
	}
	boot, err := loadBootstrap(embedded())
	if err != nil || f.config.State == "" {
		return boot, err
	}
	fetched, err := loadBootstrap(over{os.DirFS(filepath.Join(f.config.State, bootstrapDir)), embedded()})
	if err != nil {
		f.config.Log.Warn("fetched bootstrap files can't be read, using those built in", "dir", f.config.State, "err", err)
		return boot, nil
	}
	return fetched, nil
}

// over is a file system with the files of the first, and of the second those that
// the first has not.
type over [2]fs.FS

func (o over) Open(name string) (fs.File, error) {
	file, err := o[0].Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return o[1].Open(name)
	}
	return file, err
}

// refresh fetches all files, and takes them only when all are whole.
func (f *Finder) refresh(ctx context.Context) error {
	dir := filepath.Join(f.config.State, bootstrapDir)
	fresh, err := os.MkdirTemp(f.config.State, bootstrapDir+"-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(fresh)
	for _, file := range bootstrapFiles {
		if !file.iana {
			continue
		}
		if err := f.fetch(ctx, file.name, fresh); err != nil {
			return err
		}
	}
	boot, err := loadBootstrap(over{os.DirFS(fresh), embedded()})
	if err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.Rename(fresh, dir); err != nil {
		return err
	}
	if err := f.equip(boot); err != nil {
		return err
	}
	f.config.Log.Info("registries' bootstrap files refreshed", "networks", len(boot.networks), "domains", len(boot.domains))
	return nil
}

func (f *Finder) fetch(ctx context.Context, name, dir string) error {
	_, askers := f.equipment()
	r, ok := askers["rdap"].(*rdap)
	if !ok {
		return errors.New("RDAP is not among the sources")
	}
	u, err := httpsURL(f.base() + name)
	if err != nil {
		return err
	}
	var ev Evidence
	if r.get(ctx, u, &ev); ev.Status != StatusOK {
		return fmt.Errorf("fetch %s: %s %s", u, ev.Status, ev.Error)
	}
	if !bytes.HasPrefix(bytes.TrimSpace(ev.Raw), []byte("{")) {
		return fmt.Errorf("fetch %s: %s in place of JSON", u, http.DetectContentType(ev.Raw))
	}
	return os.WriteFile(filepath.Join(dir, name), ev.Raw, 0o644)
}

func (f *Finder) base() string {
	if f.config.BootstrapURL != "" {
		return f.config.BootstrapURL
	}
	return bootstrapBase
}
