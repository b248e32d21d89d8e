# make run     builds everything and serves it from ./veche-data
# make build   bin/veche with the web app inside
# make test    everything that must hold, some twelve minutes on two cores
# make lint    formatting, vet, staticcheck, types, biome
# make bench   load of every kind on a server, how large things are, messages, MLS and calls beside others
# make crash   kills, power cuts, failing disks by the hundred: some fifteen minutes, as root
# make fuzz    every fuzz target for FUZZTIME each, or all for FUZZCPU seconds of the processor
# make reproduce   builds twice, in two places, and compares every byte
# make vuln    known faults in what Veche is built from (needs the internet or a mirror)
#
# Needs Go 1.26, Node 20 and, for the tests, gcc (race detector) and chromium.
# As root the tests install the last two with apt-get; otherwise they say how.

SHELL := bash
.SHELLFLAGS := -o pipefail -ec
.DEFAULT_GOAL := build
.DELETE_ON_ERROR:

VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
# SIGNING_KEY names an Ed25519 key (PEM) of who releases; see docs/admin/verify.md.
SIGNING_KEY ?=
LDFLAGS  := -s -w -X main.version=$(VERSION)
DATA     ?= veche-data
FUZZTIME ?= 20s
KILLS    ?= 200
CUTS     ?= 200
OUT      := test/output
TALLY    := TALLY_DIR=$(OUT) bin/tally

# The race detector watches Veche and how its libraries work together, but not
# these, which took two thirds of the time: the arithmetic inside of Go's
# cryptography, which sees no memory but its own, and SQLite translated from C,
# whose memory is not Go's, so that the detector skips it anyway.
UNWATCHED := $(addprefix crypto/internal/fips140/,bigmod edwards25519/... mlkem nistec/... sha3) \
	modernc.org/sqlite/lib modernc.org/libc/... modernc.org/memory
RACE      := -race $(foreach p,$(UNWATCHED),'-gcflags=$p=-race=false -d=checkptr=0')

GO_SOURCES   := $(shell git ls-files -co --exclude-standard -- '*.go' '*.sql' go.mod go.sum)
WASM_SOURCES := $(filter client/% e2ee/% mls/% wire/% internal/% cmd/veche-wasm/% go.%,$(filter-out %_test.go,$(GO_SOURCES)))
WEB_SOURCES  := $(shell git ls-files -co --exclude-standard -- web ':!web/test' ':!web/demo' ':!web/dist')

.PHONY: run build web lint test steps bench sizes bench-load bench-mls bench-calls bench-ejabberd fuzz reproduce vuln clean needs-build needs-test \
	test-go test-wasm test-js test-web test-screens test-browser test-calls test-people lint-go lint-web

run: build
	bin/veche serve --data $(DATA) $(ARGS)

build: bin/veche

bin/veche: bin/.web $(GO_SOURCES)
	release=$(if $(SIGNING_KEY),$$(go run ./web/sign -public -key '$(SIGNING_KEY)')); \
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "$(LDFLAGS) -X github.com/veche-im/veche/web/sums.release=$$release" -o $@ ./cmd/veche

# The web app with the client core in it (npm run build makes both).
web: bin/.web
bin/.web: web/node_modules/.package-lock.json $(WEB_SOURCES) $(WASM_SOURCES)
	cd web && VERSION='$(VERSION)' SIGNING_KEY='$(abspath $(SIGNING_KEY))' npm run --silent build -- --logLevel error
	@mkdir -p bin && touch $@

web/node_modules/.package-lock.json: web/package-lock.json | needs-build
	cd web && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

bin/tally: $(wildcard test/tally/*.go)
	@go build -o $@ ./test/tally

# --- checks ---------------------------------------------------------------

lint: lint-go lint-web

# Each line is tried even if the one before it fails, and counts as one check.
# The flags are those of bin/veche, so that nothing is compiled twice.
lint-go: bin/tally | needs-build
	@status=0; export CGO_ENABLED=0 GOFLAGS="$$(go env GOFLAGS) -trimpath"; \
	$(TALLY) step lint-go test -z "$$(gofmt -l $$(git ls-files -co --exclude-standard -- '*.go') | tee /dev/stderr)" || status=1; \
	$(TALLY) step lint-go go vet ./... || status=1; \
	$(TALLY) step lint-go go tool staticcheck ./... || status=1; \
	exit $$status

# The types come from the worker's parts too, which the build makes.
lint-web: bin/.web bin/tally
	@status=0; \
	$(TALLY) step lint-web npm --prefix web run --silent types || status=1; \
	$(TALLY) step lint-web npm --prefix web run --silent lint || status=1; \
	exit $$status

# All steps are taken even if one fails, then the runners' own counts are added
# up; the status says whether everything passed.
test: | needs-build needs-test
	@rm -rf $(OUT); mkdir -p $(OUT)
	@$(MAKE) --no-print-directory bin/tally
	@status=0; $(MAKE) --no-print-directory -k steps || status=1; \
	  $(TALLY) sum || status=1; exit $$status

# Two at a time where one alone would leave a core idle: the screens wait for
# the browser while Go computes; of the stories with people only those with calls
# ask much of the machine, one after the other.
TWO := --no-print-directory -k -j2 -Otarget
steps:
	@status=0; \
	$(MAKE) $(TWO) lint-go lint-web test-wasm test-js test-web || status=1; \
	$(MAKE) $(TWO) test-go test-screens || status=1; \
	$(MAKE) $(TWO) test-calls test-people || status=1; \
	exit $$status

# Another implementation of MLS, for mls/group to be tested against.
test/interop/node_modules/.package-lock.json: test/interop/package-lock.json | needs-build
	cd test/interop && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

# What takes long begins first, or the last minute is one package's; of three at
# once one waits for a clock or a socket. lint-go has vetted.
LONG := client mls/group test/crash server/db test/calls server/backup server/room server sfu mls test/canary
test-go: bin/veche bin/tally test/interop/node_modules/.package-lock.json
	VECHE_BIN=$(CURDIR)/bin/veche go test $(RACE) -p 3 -vet=off -exec $(CURDIR)/test/aside.sh -timeout 30m -json $(addprefix ./,$(LONG)) ./... | $(TALLY) go go

# The client core must build for the browser and stay free of what it must not
# hold; the sizes are those that a browser downloads.
test-wasm: bin/veche bin/tally
	@status=0; \
	GOOS=js GOARCH=wasm $(TALLY) step wasm go vet -trimpath ./cmd/veche-wasm ./client/link/wsjs ./client/store/browser ./e2ee/... ./mls/... ./wire || status=1; \
	$(TALLY) step wasm node test/sizes.mjs || status=1; \
	exit $$status

# What has a second implementation for the browser is tested there too: sealing
# and verifying through WebCrypto, the store on the browser's SQLite, in Node.
test-js: web/node_modules/.package-lock.json bin/tally
	GOOS=js GOARCH=wasm NODE_OPTIONS=--import=$(CURDIR)/client/store/testdata/sqlite.mjs \
	  go test -json -exec "$$(go env GOROOT)/lib/wasm/go_js_wasm_exec" ./e2ee/seal ./client/store ./mls | $(TALLY) go js

test-web: web/node_modules/.package-lock.json bin/tally
	cd web && npm test --silent | TALLY_DIR=../$(OUT) ../bin/tally text web

# Every screen by itself.
test-screens: web/node_modules/.package-lock.json bin/tally
	npm --prefix web run --silent test:screens | $(TALLY) text screens

# People with real browsers and the server: those who call, and the others.
# PICTURES=all keeps what they see in every language, theme and width.
CALLS  := $(wildcard test/browser/call*.test.mjs)
PEOPLE := $(filter-out $(CALLS),$(wildcard test/browser/*.test.mjs))
test-browser: test-calls test-people

test-calls test-people: bin/veche bin/tally
test-calls:
	VECHE_BIN=$(CURDIR)/bin/veche node --test --test-concurrency=1 $(CALLS) | $(TALLY) text calls
test-people:
	VECHE_BIN=$(CURDIR)/bin/veche node --test --test-concurrency=1 $(PEOPLE) | $(TALLY) text people

# What has no aims first, so that the summary of the aims stands at the end. What
# cannot be measured here says so, and the rest goes on.
bench: bin/veche
	@status=0; \
	for part in sizes bench-mls bench-calls bench-ejabberd bench-load; do \
	  $(MAKE) --no-print-directory $$part EJABBERD='-works conversations,catch-up,all-hands-1000,idle -whole 6m' || status=1; \
	done; exit $$status

sizes: bin/veche
	@node test/sizes.mjs

# Messages, crowds, storms, overload: docs/PERFORMANCE.md, some twelve minutes. BENCH
# adds flags: BENCH="--dir /srv" measures another disk, BENCH=--json writes JSON.
bench-load: bin/veche
	@bin/veche bench all $(BENCH)

# Calls of many shapes; then our forwarder beside Janus, if Debian's package is
# there, with the same callers: about two minutes.
bench-calls: bin/veche
	@bin/veche bench calls
	@go run ./test/bench/calls

# The same works at ejabberd, in turns, if Debian's packages are there: some ten
# minutes, with crashes; six of them in "make bench", without. It says which
# packages are missing.
bench-ejabberd: bin/veche
	@go run ./test/bench/ejabberd -veche bin/veche $(EJABBERD)

# Natively, as in a browser, and ts-mls, in turns: about four minutes.
bench-mls: test/interop/node_modules/.package-lock.json
	@go run ./test/bench/mls

# docs/RELIABILITY.md. Its last lines are the figures; all of it is in the file
# that it names.
crash: | needs-build needs-test
	@mkdir -p $(OUT); status=0; \
	VECHE_KILLS=$(KILLS) VECHE_CUTS=$(CUTS) VECHE_MOVES=$$(($(KILLS) / 10)) VECHE_FAILURES=$$(($(CUTS) / 5)) \
	  VECHE_TALK_KILLS=$$(($(KILLS) / 4)) VECHE_SYNCS=$$(($(CUTS) / 10)) VECHE_SLOW=30 VECHE_MUTANTS=1 \
	  go test -count=1 -timeout 2h -v ./test/disk ./test/crash > $(OUT)/crash.txt 2>&1 || status=$$?; \
	grep -E '^ *(---|ok|FAIL|panic)|figures:|NOT TESTED' $(OUT)/crash.txt; \
	echo "everything: $(OUT)/crash.txt"; exit $$status

fuzz:
	@FUZZTIME=$(FUZZTIME) FUZZCPU=$(FUZZCPU) test/fuzz.sh

# Two builds in two places must be the same bytes.
reproduce:
	@test/reproduce.sh

# Known faults in what we are built from. It asks the Go team's database, which
# VULNDB may mirror (a folder's file:// address) where the internet is not there.
vuln: web/node_modules/.package-lock.json
	@go run golang.org/x/vuln/cmd/govulncheck@v1.9.0 $(if $(VULNDB),-db $(VULNDB)) ./... ; status=$$?; \
	[ $$status = 0 ] || echo "govulncheck: it found something, or could not ask its database (status $$status)"; \
	npm --prefix web audit --omit dev || status=1; exit $$status

clean:
	rm -rf bin $(OUT) web/node_modules test/interop/node_modules test/browser/output
	find web/dist -mindepth 1 ! -name .gitkeep -delete

# --- what the machine must have -------------------------------------------

needs-build:
	@for c in go node npm; do command -v $$c >/dev/null || \
	  { echo "$$c is missing: Veche is built with Go 1.26 and Node 20 or later"; exit 1; }; done

# The browser is the one that the tests start. What only the tests with disks
# need keeps nobody from the others: those say NOT TESTED.
needs-test:
	@missing=; disks=; \
	command -v gcc >/dev/null || missing="$$missing gcc libc6-dev"; \
	[ -x "$${CHROMIUM:-/usr/bin/chromium}" ] || missing="$$missing chromium"; \
	if [ "$$(id -u)" = 0 ]; then \
	  command -v mkfs.ext4 >/dev/null || disks="$$disks e2fsprogs"; \
	  command -v losetup >/dev/null || disks="$$disks mount"; \
	  command -v strace >/dev/null || disks="$$disks strace"; \
	fi; \
	[ -n "$$missing$$disks" ] || exit 0; \
	install() { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$$@"; }; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && install $$missing $$disks; then exit 0; fi; \
	if [ -n "$$missing" ]; then \
	  echo "the tests need:$$missing. On Debian: sudo apt-get install -y --no-install-recommends$$missing"; \
	  echo "(another browser than /usr/bin/chromium: CHROMIUM=/path/to/it make test)"; exit 1; \
	fi; \
	echo "NOT TESTED: disks that fail, without:$$disks"
