/* SPDX-License-Identifier: MIT */
#ifndef MEMTOP_SYMBOL_DEMANGLE_H
#define MEMTOP_SYMBOL_DEMANGLE_H

/* The readable form of a C++ (Itanium) or Rust (legacy and v0) symbol, malloc'ed; NULL where it is
 * neither. Rust hashes are left out; C++ keeps parameters. A symbol version ("@@GLIBC_2.2.5") is
 * not part of it. */
char *demangle(const char *symbol);

#endif
