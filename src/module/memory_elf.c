/* SPDX-License-Identifier: MIT */
#include "module/memory_elf.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define PAGE      UINT64_C(4096)
#define MAX_IMAGE (UINT64_C(256) << 20)
#define MAX_NOTES UINT64_C(65536)
#define MAX_WHOLE (UINT64_C(1) << 20) /* a vDSO has two pages */

static bool read_all(const struct memory_elf *m, uint64_t addr, void *buf, size_t len)
{
	return addr >= m->start && addr <= m->end && len <= m->end - addr &&
	       process_read(m->process, addr, buf, len) == len;
}

static bool is_ours(const Elf64_Ehdr *e)
{
	return memcmp(e->e_ident, ELFMAG, SELFMAG) == 0 && e->e_ident[EI_CLASS] == ELFCLASS64 &&
	       e->e_ident[EI_DATA] == ELFDATA2LSB &&
	       (e->e_type == ET_EXEC || e->e_type == ET_DYN) &&
	       e->e_phentsize == sizeof(Elf64_Phdr) && e->e_phnum > 0 &&
	       e->e_phnum <= MEMORY_ELF_PHDRS;
}

static bool find_bias(struct memory_elf *m)
{
	for (size_t i = 0; i < m->phnum; i++) {
		const Elf64_Phdr *ph = &m->phdr[i];
		if (ph->p_type == PT_LOAD && ph->p_offset < PAGE) {
			m->bias = m->start - (ph->p_vaddr - ph->p_offset);
			return true;
		}
	}
	return false;
}

bool memory_elf_read(struct memory_elf *m, const struct process *p, uint64_t start, uint64_t end)
{
	*m = (struct memory_elf){.process = p, .start = start, .end = end};
	if (!read_all(m, start, &m->ehdr, sizeof m->ehdr) || !is_ours(&m->ehdr))
		return false;
	m->phnum = m->ehdr.e_phnum;
	if (m->ehdr.e_phoff > end - start)
		return false;
	return read_all(m, start + m->ehdr.e_phoff, m->phdr, m->phnum * sizeof m->phdr[0]) &&
	       find_bias(m);
}

static bool build_id_in_segment(const struct memory_elf *m, const Elf64_Phdr *ph,
                                struct build_id *id)
{
	if (ph->p_filesz == 0 || ph->p_filesz > MAX_NOTES)
		return false;
	unsigned char *notes = mem_alloc(ph->p_filesz);
	bool found = read_all(m, ph->p_vaddr + m->bias, notes, ph->p_filesz) &&
	             build_id_in_notes(notes, ph->p_filesz, ph->p_align, id);
	free(notes);
	return found;
}

bool memory_elf_build_id(const struct memory_elf *m, struct build_id *id)
{
	*id = (struct build_id){0};
	for (size_t i = 0; i < m->phnum; i++)
		if (m->phdr[i].p_type == PT_NOTE && build_id_in_segment(m, &m->phdr[i], id))
			return true;
	return false;
}

/* --- images --- */

/* Reads what can be read; what can't stays as it is. */
static void read_pages(const struct memory_elf *m, uint64_t addr, unsigned char *buf, size_t len)
{
	while (len > 0 && addr >= m->start && addr < m->end) {
		size_t want = len < m->end - addr ? len : (size_t)(m->end - addr);
		size_t n = process_read(m->process, addr, buf, want);
		if (n == 0) /* an unreadable page: go on behind it */
			n = (size_t)(PAGE - addr % PAGE);
		if (n >= len)
			return;
		addr += n;
		buf += n;
		len -= n;
	}
}

static uint64_t image_size(const struct memory_elf *m)
{
	uint64_t size = m->ehdr.e_phoff + m->phnum * sizeof m->phdr[0];
	for (size_t i = 0; i < m->phnum; i++) {
		const Elf64_Phdr *ph = &m->phdr[i];
		if (ph->p_type != PT_LOAD)
			continue;
		if (ph->p_offset > MAX_IMAGE || ph->p_filesz > MAX_IMAGE)
			return 0;
		if (ph->p_offset + ph->p_filesz > size)
			size = ph->p_offset + ph->p_filesz;
	}
	return size <= MAX_IMAGE ? size : 0;
}

/* Section headers aren't in memory: without them libdw goes by program headers. An alignment above
 * a page would make libdwfl reckon with another load address than the one that is. */
static void put_headers(const struct memory_elf *m, unsigned char *image)
{
	Elf64_Ehdr e = m->ehdr;
	e.e_shoff = 0;
	e.e_shnum = 0;
	e.e_shstrndx = SHN_UNDEF;
	memcpy(image, &e, sizeof e);
	for (size_t i = 0; i < m->phnum; i++) {
		Elf64_Phdr ph = m->phdr[i];
		if (ph.p_type == PT_LOAD)
			ph.p_align = PAGE;
		memcpy(image + e.e_phoff + i * sizeof ph, &ph, sizeof ph);
	}
}

unsigned char *memory_elf_image(const struct memory_elf *m, size_t *size)
{
	uint64_t n = image_size(m);
	if (n < sizeof m->ehdr || m->ehdr.e_phoff < sizeof m->ehdr)
		return NULL;
	unsigned char *image = mem_alloc(n);
	for (size_t i = 0; i < m->phnum; i++) {
		const Elf64_Phdr *ph = &m->phdr[i];
		if (ph->p_type == PT_LOAD)
			read_pages(m, ph->p_vaddr + m->bias, image + ph->p_offset, ph->p_filesz);
	}
	put_headers(m, image);
	*size = n;
	return image;
}

unsigned char *memory_elf_copy(const struct memory_elf *m, size_t *size)
{
	uint64_t n = m->end - m->start;
	if (n > MAX_WHOLE)
		return NULL;
	unsigned char *image = mem_alloc(n);
	if (process_read(m->process, m->start, image, n) == n) {
		*size = n;
		return image;
	}
	free(image);
	return NULL;
}
