/* SPDX-License-Identifier: MIT */
#include "module/module.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void module_free(struct module *mod)
{
	if (!mod)
		return;
	if (mod->pages)
		for (size_t i = 0; i < MODULE_PAGE_SLOTS; i++)
			free(mod->pages[i].data);
	free(mod->pages);
	free(mod->phdr);
	free(mod->image);
	free(mod->extents);
	free(mod->why);
	free(mod->path);
	free(mod);
}

void module_complain(struct module *mod, const char *text)
{
	free(mod->why);
	mod->why = mem_strdup(text);
}

uint64_t module_id(const struct module *mod)
{
	return mod->id;
}

const char *module_name(const struct module *mod)
{
	const char *slash = strrchr(mod->path, '/');
	return slash && slash[1] ? slash + 1 : mod->path;
}

const char *module_path(const struct module *mod)
{
	return mod->path;
}

bool module_is_main(const struct module *mod)
{
	return mod->is_main;
}

bool module_is_generated(const struct module *mod)
{
	return mod->is_generated;
}

const char *module_why(const struct module *mod)
{
	return mod->why;
}

uint64_t module_offset(const struct module *mod, uint64_t addr)
{
	const struct extent *x = mod->extents;
	for (size_t i = 1; i < mod->extents_len && mod->extents[i].start <= addr; i++)
		x = &mod->extents[i];
	return addr - x->start + x->offset;
}

Dwfl_Module *module_dwfl(struct module *mod)
{
	GElf_Addr bias;
	if (!mod->dwfl || !dwfl_module_getelf(mod->dwfl, &bias))
		return NULL;
	return mod->dwfl;
}

bool module_eh_frame_hdr(struct module *mod, uint64_t *addr, uint64_t *size)
{
	if (!module_dwfl(mod))
		return false;
	for (size_t i = 0; i < mod->phnum; i++) {
		const GElf_Phdr *ph = &mod->phdr[i];
		if (ph->p_type != PT_GNU_EH_FRAME)
			continue;
		*addr = ph->p_vaddr + mod->bias;
		*size = ph->p_memsz;
		return ph->p_memsz > 0;
	}
	return false;
}

/* --- reading the file --- */

static const struct file_page *load_page(struct module *mod, uint64_t offset)
{
	if (!mod->pages)
		mod->pages = mem_alloc(MODULE_PAGE_SLOTS * sizeof *mod->pages);
	struct file_page *page = &mod->pages[(offset / MODULE_PAGE) & (MODULE_PAGE_SLOTS - 1)];
	if (page->data && page->offset == offset)
		return page;
	if (!page->data)
		page->data = mem_alloc(MODULE_PAGE);
	ssize_t n = pread(mod->fd, page->data, MODULE_PAGE, (off_t)offset);
	page->offset = offset;
	page->len = n > 0 ? (size_t)n : 0;
	return page;
}

static bool read_file(struct module *mod, uint64_t offset, unsigned char *buf, size_t len)
{
	while (len > 0) {
		size_t skip = offset & (MODULE_PAGE - 1);
		const struct file_page *page = load_page(mod, offset - skip);
		if (page->len <= skip)
			return false;
		size_t n = page->len - skip < len ? page->len - skip : len;
		memcpy(buf, page->data + skip, n);
		buf += n;
		offset += n;
		len -= n;
	}
	return true;
}

/* Writable segments are no good: the target has changed them, RELRO included. */
bool module_read(struct module *mod, uint64_t addr, void *buf, size_t len)
{
	if (!module_dwfl(mod))
		return false;
	uint64_t vaddr = addr - mod->bias;
	for (size_t i = 0; i < mod->phnum; i++) {
		const GElf_Phdr *ph = &mod->phdr[i];
		if (ph->p_type != PT_LOAD || (ph->p_flags & PF_W) || vaddr < ph->p_vaddr ||
		    vaddr - ph->p_vaddr >= ph->p_filesz ||
		    len > ph->p_filesz - (vaddr - ph->p_vaddr))
			continue;
		uint64_t offset = vaddr - ph->p_vaddr + ph->p_offset;
		if (!mod->image)
			return read_file(mod, offset, buf, len);
		if (offset > mod->image_size || len > mod->image_size - offset)
			return false;
		memcpy(buf, mod->image + offset, len);
		return true;
	}
	return false;
}
