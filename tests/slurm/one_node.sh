#!/usr/bin/env bash
# A Slurm of one node on this machine, from Debian's packages: needs root and an otherwise idle
# /etc/slurm. Leaves a cluster that takes jobs, or ends with an error.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "needs root"; exit 77; }
command -v slurmctld >/dev/null || {
    command -v apt-get >/dev/null || { echo "needs Debian's packages"; exit 77; }
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq slurm-wlm munge
} >/dev/null || exit 77
squeue >/dev/null 2>&1 && exit 0

host=$(hostname -s)
mkdir -p /etc/slurm /var/spool/slurmctld /var/spool/slurmd /var/log/slurm /run/munge
if [ -e /etc/slurm/slurm.conf ] && ! grep -q '^ClusterName=one' /etc/slurm/slurm.conf; then
    echo "another Slurm is set up here"
    exit 77
fi
cat > /etc/slurm/slurm.conf <<CONF
ClusterName=one
SlurmctldHost=$host
SlurmUser=root
AuthType=auth/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
StateSaveLocation=/var/spool/slurmctld
SlurmdSpoolDir=/var/spool/slurmd
SlurmctldLogFile=/var/log/slurm/slurmctld.log
SlurmdLogFile=/var/log/slurm/slurmd.log
NodeName=$host CPUs=$(nproc) RealMemory=$(awk '/MemTotal/ {print int($2 / 1024 * 0.9)}' /proc/meminfo)
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
chown munge:munge /run/munge
pgrep -x munged >/dev/null || runuser -u munge -- munged
slurmctld
slurmd
for _ in $(seq 60); do
    sinfo -h -o %T 2>/dev/null | grep -qE 'idle|mixed|allocated' && exit 0
    sleep 0.5
done
echo "the node did not come up"; sinfo; tail /var/log/slurm/*.log; exit 1
