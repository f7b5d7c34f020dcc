package main

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"reflect"
	"time"

	"spamreport-milter/milter"
	"spamreport-milter/seal"
)

// sealKeys is where the keys of the seal are.
func (c *Config) sealKeys() string {
	if c.settings.Milter.SealKeys != "" {
		return c.settings.Milter.SealKeys
	}
	return filepath.Join(c.StateDir, "seal.keys")
}

// openSeal returns the keys that messages may have been sealed with, or nil where
// there are none: a host that has never sealed can't verify anything.
func openSeal(c *Config) (*seal.Keys, error) {
	keys, err := seal.Open(c.sealKeys())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return keys, err
}

// rotateSeal makes a key where one is due.
func rotateSeal(c *Config) error {
	if !c.settings.Milter.Seal {
		return nil
	}
	every := time.Duration(c.settings.Milter.SealRotate) * 24 * time.Hour
	return seal.Rotate(c.sealKeys(), every, time.Now())
}

// milterConfig is the milter's part of the configuration with the parts of this
// process that it works with.
func (d *daemon) milterConfig(e *Env, c *Config) (milter.Config, *seal.Keys, error) {
	mc := c.Milter
	mc.Submitter, mc.Log = d.store, e.Log
	if c.Reporter.Answers != "" {
		mc.Replies = d.learner
	}
	mc.MaxSessions = withinFiles(e, mc.MaxSessions)
	if err := rotateSeal(c); err != nil {
		return mc, nil, err
	}
	keys, err := openSeal(c)
	if err != nil {
		return mc, nil, err
	}
	if c.settings.Milter.Seal {
		mc.Seal = keys
	}
	if mc.Reports != nil {
		mc.Reports.Seal, mc.Reports.Answer = keys, d.reporter
	}
	return mc, keys, nil
}

// keysEvery is how often keys of the seal are looked after: another host that
// shares the file may have made a new one, which others must know soon.
const keysEvery = 10 * time.Minute

// reloads puts the milter's keys of the configuration in force again on SIGHUP,
// and turns the keys of the seal.
func (d *daemon) reloads(ctx context.Context, e *Env) {
	tick := time.NewTicker(keysEvery)
	defer tick.Stop()
	now := e.Config
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.hup:
			fresh, err := e.Reload()
			if err != nil {
				e.Log.Error("configuration not read again, the one before stays in force", "err", err)
				continue
			}
			now = d.reload(e, now, fresh)
		case <-tick.C:
			if err := d.turnKeys(now); err != nil {
				e.Log.Error("keys of the seal not looked after", "err", err)
			}
		}
	}
}

// reload returns the configuration that is in force afterwards.
func (d *daemon) reload(e *Env, before, fresh *Config) *Config {
	mc, keys, err := d.milterConfig(e, fresh)
	if err == nil {
		err = d.milter.Reload(mc)
	}
	if err != nil {
		e.Log.Error("configuration not read again, the one before stays in force", "err", err)
		return before
	}
	d.seal = keys
	e.Log.Info("configuration read again", "file", fresh.File, "restart_needed", needsRestart(before, fresh))
	return fresh
}

// turnKeys makes a new key where one is due, and takes those that others have made.
func (d *daemon) turnKeys(c *Config) error {
	if d.seal == nil {
		return nil
	}
	if err := rotateSeal(c); err != nil {
		return err
	}
	return d.seal.Reload()
}

// needsRestart names the tables whose changes only a restart puts in force: all
// but [milter], and of that where it listens and its memory.
func needsRestart(before, fresh *Config) (names []string) {
	a, b := before.settings, fresh.settings
	if !reflect.DeepEqual(a.Milter.Listen, b.Milter.Listen) || a.Milter.Memory != b.Milter.Memory {
		names = append(names, "milter.listen, milter.memory")
	}
	a.Milter, b.Milter = milterSettings{}, milterSettings{}
	va, vb := reflect.ValueOf(a), reflect.ValueOf(b)
	for f := range fieldsOf(va.Type()) {
		if !reflect.DeepEqual(va.FieldByIndex(f.Index).Interface(), vb.FieldByIndex(f.Index).Interface()) {
			names = append(names, keyName(f))
		}
	}
	return names
}
