#include "pci.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fail.h"

/* Offsets and bits of the configuration space (PCI Local Bus 3.0, chapter 6). */
enum {
    CONFIG_VENDOR_ID = 0x00,
    CONFIG_DEVICE_ID = 0x02,
    CONFIG_COMMAND = 0x04,
    COMMAND_IO = 1 << 0,
    COMMAND_MEMORY = 1 << 1,
    COMMAND_BUS_MASTER = 1 << 2,
    COMMAND_NO_INTX = 1 << 10, /* we poll: nobody would acknowledge an interrupt */
};

static struct pci_device *claimed;

static void sysfs_path(char path[PATH_MAX], const struct pci_device *pci, const char *file)
{
    snprintf(path, PATH_MAX, "/sys/bus/pci/devices/%s/%s", pci->address, file);
}

static bool write_text(const char *path, const char *text)
{
    int file = open(path, O_WRONLY);
    if (file < 0)
        return false;
    bool written = write(file, text, strlen(text)) == (ssize_t)strlen(text);
    int cause = errno;
    close(file);
    errno = cause;
    return written;
}

void pci_config_read(struct pci_device *pci, void *to, uint32_t bytes, uint32_t offset)
{
    if (pread(pci->config, to, bytes, offset) != (ssize_t)bytes)
        fail("%s: cannot read PCI configuration space at 0x%x; run as root", pci->address, offset);
}

static void set_command(struct pci_device *pci, uint16_t command)
{
    if (pwrite(pci->config, &command, sizeof command, CONFIG_COMMAND) != sizeof command)
        fail("%s: cannot write PCI configuration space: %s", pci->address, strerror(errno));
}

/* Normalise to the name sysfs uses; this also keeps "../.." out of the paths made from it. */
static void parse_address(struct pci_device *pci, const char *text)
{
    unsigned domain = 0, bus, device, function;
    int end = 0;

    if (sscanf(text, "%4x:%2x:%2x.%1x%n", &domain, &bus, &device, &function, &end) != 4) {
        domain = 0;
        if (sscanf(text, "%2x:%2x.%1x%n", &bus, &device, &function, &end) != 3)
            end = 0;
    }
    if (end == 0 || text[end] != '\0' || device > 0x1f || function > 7)
        fail("'%s' is not a PCI address; expected one like 0000:00:06.0", text);
    snprintf(pci->address, sizeof pci->address, "%04x:%02x:%02x.%x", domain & 0xffff, bus & 0xff,
             device, function);
}

void pci_open(struct pci_device *pci, const char *address)
{
    char path[PATH_MAX];

    memset(pci, 0, sizeof *pci);
    parse_address(pci, address);
    sysfs_path(path, pci, "config");
    pci->config = open(path, O_RDWR | O_CLOEXEC);
    if (pci->config < 0 && errno == ENOENT)
        fail("%s: no such PCI device; `lspci -D` lists those there are", pci->address);
    if (pci->config < 0)
        fail("%s: cannot open %s: %s; run as root", pci->address, path, strerror(errno));
    pci_config_read(pci, &pci->vendor_id, sizeof pci->vendor_id, CONFIG_VENDOR_ID);
    pci_config_read(pci, &pci->device_id, sizeof pci->device_id, CONFIG_DEVICE_ID);
}

static void unbind_driver(struct pci_device *pci)
{
    char link[PATH_MAX], target[PATH_MAX], path[PATH_MAX];

    sysfs_path(link, pci, "driver");
    ssize_t length = readlink(link, target, sizeof target - 1);
    if (length < 0)
        return; /* no driver is bound */
    target[length] = '\0';
    snprintf(pci->driver, sizeof pci->driver, "%s", basename(target));
    sysfs_path(path, pci, "driver/unbind");
    if (!write_text(path, pci->address))
        fail("%s: cannot take the device from %s: %s", pci->address, pci->driver, strerror(errno));
}

/* No fail() in here: this runs when the program is already exiting. */
static void give_back(struct pci_device *pci)
{
    char path[PATH_MAX];

    if (pwrite(pci->config, &pci->command, sizeof pci->command, CONFIG_COMMAND) < 0)
        fprintf(stderr, "warning: %s: cannot switch off bus mastering\n", pci->address);
    close(pci->config);
    if (pci->driver[0] == '\0')
        return;
    snprintf(path, sizeof path, "/sys/bus/pci/drivers/%s/bind", pci->driver);
    if (!write_text(path, pci->address))
        fprintf(stderr, "warning: %s: cannot give the device back to %s: %s\n", pci->address,
                pci->driver, strerror(errno));
}

static void give_all_back(void)
{
    for (; claimed; claimed = claimed->next)
        give_back(claimed);
}

void pci_claim(struct pci_device *pci)
{
    if (flock(pci->config, LOCK_EX | LOCK_NB) < 0)
        fail("%s: the device is in use; stop the program that drives it", pci->address);
    unbind_driver(pci);
    pci_config_read(pci, &pci->command, sizeof pci->command, CONFIG_COMMAND);
    if (!claimed)
        atexit(give_all_back);
    pci->next = claimed;
    claimed = pci;
    set_command(pci, pci->command | COMMAND_IO | COMMAND_MEMORY | COMMAND_BUS_MASTER |
                         COMMAND_NO_INTX);
}

int pci_open_bar(struct pci_device *pci, int bar)
{
    char path[PATH_MAX], name[16];

    snprintf(name, sizeof name, "resource%d", bar);
    sysfs_path(path, pci, name);
    int file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0)
        fail("%s: cannot open %s: %s", pci->address, path, strerror(errno));
    return file;
}

volatile uint8_t *pci_map_bar(struct pci_device *pci, int bar, uint64_t *bytes)
{
    struct stat status;
    int file = pci_open_bar(pci, bar);

    if (fstat(file, &status) < 0)
        fail("%s: cannot size BAR %d: %s", pci->address, bar, strerror(errno));
    void *mapped = mmap(NULL, status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (mapped == MAP_FAILED)
        fail("%s: cannot map BAR %d: %s", pci->address, bar, strerror(errno));
    close(file);
    *bytes = status.st_size;
    return mapped;
}
