# Targets for people:  demo  build  test  lint  fuzz  bench  soak  scale  install
# What each needs from Debian it installs itself as root, and names otherwise.

PREFIX   ?= /usr/local
DESTDIR  ?=
GO       ?= go
FUZZTIME ?= 60s
BIN       = bin/spamreport-milter

.PHONY: all demo build test lint fuzz bench soak scale install deps clean $(BIN)
all: build

build: $(BIN)

$(BIN):
	$(GO) build -trimpath -o $@ ./cmd/spamreport-milter

# ONCE=1 ends after the story instead of waiting for Ctrl-C.
demo: deps build
	$(GO) run ./internal/demo $(if $(ONCE),-once)

test: deps
	$(GO) test -race -timeout 25m ./...

lint:
	@test -z "$$(gofmt -l .)" || { gofmt -d .; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

# Every fuzz target in turn; their seeds already run with `make test`.
fuzz:
	@set -e; for pkg in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "== $$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) $$pkg; \
	  done; \
	done

# Each benchmark runs a peer beside our code and prints the ratio.
bench:
	@.ci/deps bench
	$(GO) test -run '^$$' -bench . -benchmem ./...

# A month of 100,000 reports through all decisions.
soak: deps
	SOAK=1 $(GO) test ./reporter -run TestMonth -timeout 20m -v

# A queue as large as a provider's, on both engines: minutes, and some gigabytes in
# SCALE_DIR. The daemon's memory is that on the SQLite file.
SCALE_DIR ?= /tmp/spamreport-milter-scale
scale: deps
	mkdir -p $(SCALE_DIR)
	SCALE_DIR=$(SCALE_DIR) $(GO) test ./queue -run '^$$' -bench Scale -benchtime 1x -timeout 180m -v
	SCALE_DIR=$(SCALE_DIR) $(GO) test ./cmd/spamreport-milter -run '^$$' -bench DaemonMemory -benchtime 1x
	rm -r $(SCALE_DIR)

# Needs no Go: root's PATH rarely has it.
install:
	@test -x $(BIN) || { echo "no $(BIN): run make build first" >&2; exit 1; }
	install -D -m 0755 $(BIN) $(DESTDIR)$(PREFIX)/bin/spamreport-milter
	install -D -m 0644 docs/man/spamreport-milter.8 $(DESTDIR)$(PREFIX)/share/man/man8/spamreport-milter.8
	install -D -m 0755 contrib/postfix/setup $(DESTDIR)$(PREFIX)/share/spamreport-milter/postfix/setup
	install -m 0644 contrib/postfix/README.md contrib/postfix/strip_tags $(DESTDIR)$(PREFIX)/share/spamreport-milter/postfix/
	install -d $(DESTDIR)$(PREFIX)/share/spamreport-milter/sendmail
	install -m 0644 contrib/sendmail/README.md contrib/sendmail/spamreport-milter.mc $(DESTDIR)$(PREFIX)/share/spamreport-milter/sendmail/

deps:
	@.ci/deps

clean:
	rm -rf bin
