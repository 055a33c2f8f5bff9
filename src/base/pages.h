/* Memory that only the start of a job needed.
 *
 * Starting runs much code that is not needed again: linking of a hundred libraries, reading containers,
 * optimising networks. Its pages count as memory of the process until the system is short of it, and what it
 * allocated leaves holes in the heaps.
 */
#ifndef VSM_BASE_PAGES_H
#define VSM_BASE_PAGES_H

/* Gives back free pages of the heaps, and pages of program and libraries that are as in their files, whose
 * system cache has them when they are needed again. Nothing is lost: a mapping that can be written, or of
 * which any page was (relocations), is left alone. Linux only, elsewhere nothing happens. Other threads may
 * run. Cost: 10 ms, and the faults of what is needed again. Measured: doc/performance.md, "Memory". */
void vsm_pages_release(void);

#endif
