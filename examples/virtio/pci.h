/* A PCI device, taken from the kernel and driven from here through sysfs. */
#ifndef PCI_H
#define PCI_H

#include <stdbool.h>
#include <stdint.h>

struct pci_device {
    char address[16];        /* domain:bus:device.function, such as 0000:00:06.0 */
    char driver[64];         /* kernel driver it was taken from, empty for none */
    uint16_t vendor_id;
    uint16_t device_id;
    uint16_t command;        /* command register as it was found */
    int config;              /* sysfs file of the configuration space, locked */
    struct pci_device *next; /* list of claimed devices */
};

/* Look at a device without touching it. */
void pci_open(struct pci_device *pci, const char *address);

/* Take it from its kernel driver and switch on I/O, memory and bus mastering (DMA). It is given
 * back when the program exits, also after fail(), but not when the program is killed. */
void pci_claim(struct pci_device *pci);

/* Read from the configuration space. */
void pci_config_read(struct pci_device *pci, void *to, uint32_t bytes, uint32_t offset);

/* Open base address register `bar`: an I/O BAR is a file for pread and pwrite. */
int pci_open_bar(struct pci_device *pci, int bar);

/* Map a memory BAR into our address space; `bytes` receives its size. */
volatile uint8_t *pci_map_bar(struct pci_device *pci, int bar, uint64_t *bytes);

#endif
