# SPDX-License-Identifier: MIT
# Programs with known truth, built as services are: optimized, without frame pointers, and never
# with the sanitizers of memtop's own build.
TARGET_CFLAGS = -std=gnu11 $(WARN_CFLAGS) -O2 -g -fomit-frame-pointer -pthread
TARGET_CXXFLAGS = -std=c++17 -Wall -Wextra -Wshadow -O2 -g -fomit-frame-pointer -pthread

TARGETS_SIMPLE = \
	tests/targets/brkmmap tests/targets/burst tests/targets/deep tests/targets/execer \
	tests/targets/exit_early tests/targets/filemap tests/targets/idle tests/targets/instant \
	tests/targets/leaderless tests/targets/ledger tests/targets/oddname \
	tests/targets/sigh tests/targets/steady2 tests/targets/threads
TARGETS_BARE = tests/targets/noptrace tests/targets/tracer
TARGETS = $(TARGETS_SIMPLE) $(TARGETS_BARE) tests/targets/plugin tests/targets/plugin_mod.so \
	tests/targets/static_stripped tests/targets/cppgrow
TARGET_FILES = tests/targets/truth.c tests/targets/truth.h $(TARGETS_SIMPLE:=.c) \
	$(TARGETS_BARE:=.c) tests/targets/tiny32.c tests/targets/plugin.c \
	tests/targets/plugin_mod.c tests/targets/static_stripped.c tests/targets/cppgrow.cc

TRUTH = $(srcdir)/tests/targets/truth.c
TRUTH_DEPS = tests/targets/truth.c tests/targets/truth.h
TARGET_DIR = $(MKDIR_P) tests/targets

$(TARGETS_SIMPLE): %: %.c $(TRUTH_DEPS)
	@$(TARGET_DIR)
	$(AM_V_CC)$(CC) $(TARGET_CFLAGS) -o $@ $(srcdir)/$@.c $(TRUTH)

$(TARGETS_BARE): %: %.c
	@$(TARGET_DIR)
	$(AM_V_CC)$(CC) $(TARGET_CFLAGS) -o $@ $(srcdir)/$@.c

tests/targets/plugin: tests/targets/plugin.c $(TRUTH_DEPS)
	@$(TARGET_DIR)
	$(AM_V_CC)$(CC) $(TARGET_CFLAGS) -o $@ $(srcdir)/tests/targets/plugin.c $(TRUTH) -ldl

tests/targets/plugin_mod.so: tests/targets/plugin_mod.c
	@$(TARGET_DIR)
	$(AM_V_CC)$(CC) $(TARGET_CFLAGS) -fPIC -shared -o $@ $(srcdir)/tests/targets/plugin_mod.c

tests/targets/static_stripped: tests/targets/static_stripped.c $(TRUTH_DEPS)
	@$(TARGET_DIR)
	$(AM_V_CC)$(CC) $(TARGET_CFLAGS) -static -s -o $@ $(srcdir)/tests/targets/static_stripped.c $(TRUTH)

tests/targets/cppgrow: tests/targets/cppgrow.cc $(TRUTH_DEPS)
	@$(TARGET_DIR)
	$(AM_V_CC)$(CC) $(TARGET_CFLAGS) -c -o tests/targets/cppgrow_truth.o $(TRUTH)
	$(AM_V_CXX)$(CXX) $(TARGET_CXXFLAGS) -o $@ $(srcdir)/tests/targets/cppgrow.cc tests/targets/cppgrow_truth.o
	@rm -f tests/targets/cppgrow_truth.o
