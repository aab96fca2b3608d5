/* SPDX-License-Identifier: MIT */
/* The files of an output folder that have no extension of their own for --record. */
#ifndef MEMTOP_OUTPUT_FOLDER_H
#define MEMTOP_OUTPUT_FOLDER_H

#include "output/output.h"

extern const struct output_ops output_tree; /* the call trees as text */
extern const struct output_ops output_rss;  /* the RSS series: seconds,pid,anon,file,shmem */

#endif
