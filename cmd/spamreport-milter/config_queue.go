package main

import (
	"net/url"
	"path/filepath"
	"time"

	"spamreport-milter/queue"
)

// queueFile is the name of the store in the state directory.
const queueFile = "queue.db"

// queue is where the queue is: the URL of a database, or the path of a file.
func (c *Config) queue() string {
	if c.Database != "" {
		return c.Database
	}
	return filepath.Join(c.StateDir, queueFile)
}

func (f *faults) database(place string) string {
	if place == "" {
		return ""
	}
	u, err := url.Parse(place)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" || u.Path == "" || u.Path == "/" {
		f.add("queue.database: it is no URL like postgres://USER@HOST/NAME") // and is not shown: it may hold a password
	}
	return place
}

func (f *faults) retention(s queueSettings) queue.Retention {
	days := func(key string, n int) time.Duration {
		const most = 36500 // a century
		if n < 0 || n > most {
			f.add("queue.%s: %d is no number of days from 0, which is for ever, to %d", key, n, most)
			return 0
		}
		return time.Duration(n) * 24 * time.Hour
	}
	r := queue.Retention{
		Mail: days("keep_mail", s.KeepMail), Answers: days("keep_answers", s.KeepAnswers),
		Complaints: days("keep_complaints", s.KeepComplaints), Events: days("keep_events", s.KeepEvents),
	}
	if r.Events > 0 && (r.Complaints == 0 || r.Events < r.Complaints) {
		f.add("queue.keep_events: %d days are less than keep_complaints: a complaint without its trail explains nothing", s.KeepEvents)
	}
	return r
}
