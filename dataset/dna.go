package dataset

import "slices"

// genomes are the complete genomes of the package ragout-examples, by species and strain.
var genomes = []struct {
	species, strain string
	size            int64
	sum             string
}{
	{"E.Coli", "DH1", 1383309, "53621b05f11c062c3600ed53fc05f2e6db3605d8104260674ff019e536acdccd"},
	{"E.Coli", "MG1655-K12", 1386363, "ae952b2873ef8badc956925a61c5b536d4e40322b4e8b15dde3d8eda7ce3c879"},
	{"H.Pylori", "ELS37", 483760, "cbb724aae0e46b32488606ec436679e58631943b39abcc37049989dd47aed49c"},
	{"H.Pylori", "G27", 479920, "80dd2ad4125b47fa644350cec0bee7bf3956e379bf3e3e97a25e9c17ba297658"},
	{"H.Pylori", "Gambia94_24", 496677, "92e4798809e20eb07cbc08bd4f2536b316a7a0cd3dd8d596b7638f9dd6d626f6"},
	{"H.Pylori", "Puno120", 471590, "79fa6c9c68e8ea4feeec8a33bdf510a2f48c15c14cb04379e5ef72e44434557f"},
	{"H.Pylori", "SJM180", 481737, "6b5971d7c592ad7c4e609845e4667c3fd27f2ab73967b6475677295e2ba5d879"},
	{"S.Aureus", "COL", 820087, "e42c7cbcb34ea73ed05d79eff4e222d8852caf412c859a94a7feb03ec42d0648"},
	{"S.Aureus", "JKD6008", 855121, "f05727535ae62475899e6505741771b03710de6290c18f7c3d88826089a0c7a4"},
	{"S.Aureus", "N315", 823062, "f00af0fea6d59d4aef1cac64be57a5215739b7c23fae7f6bc0d44e1f9805a0e9"},
	{"S.Aureus", "RF122", 803585, "462b4f0756da814c67b526f5a226ec0c53125ddf1cb8c89acc968fc7c5e16996"},
	{"S.Aureus", "USA300_FPR3757", 839501, "61066f50bd925c6adc75fd98df7c864b1bfcbfa30f3c773b2a4a3a88084041d4"},
	{"V.Cholerae", "H1", 1222349, "0bbc9c0e3cf2c1925758a9bf66b1ca6bc0318064b13bf888707b57f2cb9945f7"},
	{"V.Cholerae", "O1_Inaba", 1259292, "21142953cd1733f09cf66d1540a1685a8122ba97bf9ba5255e6a8ff5344b624e"},
	{"V.Cholerae", "O1_biovar", 1203515, "ef8ecca73105608a904c9e81973ef3af472096e349a463fbec324411c6566cc9"},
	{"V.Cholerae", "O395", 1234138, "3ecf6fc1bfac8787e560fe4c9965d1248bb2de1987d0cb7eb5470f01a1ca8772"},
}

// dnaEntries are genomes, reads and alignments. A data.source that names one of them is the folder of its files.
func dnaEntries() []Entry {
	ragout := func(name, about string, wanted ...string) Entry { // species or strains
		e := Entry{
			Name: name, Domain: "dna", About: about, Licence: "BSD-3-Clause (as packaged); genomes of NCBI", Source: "Ragout, examples (Kolmogorov et al. 2014)",
			Package: "ragout-examples", Version: "2.3-4", Download: 18434168,
		}
		for _, g := range genomes {
			if slices.Contains(wanted, g.species) || slices.Contains(wanted, g.strain) {
				e.Files = append(e.Files, File{
					Name: g.strain + ".fasta.gz", Member: "usr/share/doc/ragout/examples/" + g.species + "/references/" + g.strain + ".fasta.gz", Role: "genome", Size: g.size, SHA256: g.sum,
				})
			}
		}
		return e
	}
	smalt := func(name, about string, f File) Entry {
		return Entry{
			Name: name, Domain: "dna", About: about, Licence: "GPL-3.0 (as packaged); the genomes have terms of their own", Source: "SMALT, test data",
			Package: "smalt-examples", Version: "0.7.6-12", Download: 71871348, Files: []File{f},
		}
	}
	return []Entry{
		ragout("ecoli", "the genome of Escherichia coli K-12 MG1655, 4.64 Mb", "MG1655-K12"),
		ragout("ecoli-dh1", "the genome of Escherichia coli DH1, 4.63 Mb: a near relative of ecoli", "DH1"),
		ragout("helicobacter", "genomes of 5 strains of Helicobacter pylori, 1.6 to 1.7 Mb each", "H.Pylori"),
		ragout("staphylococcus", "genomes of 5 strains of Staphylococcus aureus, 2.7 to 2.9 Mb each", "S.Aureus"),
		ragout("vibrio", "genomes of 4 strains of Vibrio cholerae, two chromosomes and 4.0 to 4.2 Mb each", "V.Cholerae"),
		ragout("bacteria", "16 genomes of 4 species: those of ecoli, ecoli-dh1, helicobacter, staphylococcus and vibrio, 48 Mb", "E.Coli", "H.Pylori", "S.Aureus", "V.Cholerae"),
		smalt("falciparum", "the genome of Plasmodium falciparum, 14 chromosomes, 23.3 Mb, 80 % A and T",
			File{Name: "falciparum.fa.gz", Member: "usr/share/doc/smalt/test/data/genome_1.fa.gz", Role: "genome", Size: 6389219, SHA256: "bd83ff1c99ed96e28e2f8efd976e09b51e45c0ea988bdf8caf7286ecd2986788"}),
		smalt("knowlesi", "the genome of Plasmodium knowlesi, 1,840 contigs, 26.0 Mb",
			File{Name: "knowlesi.fa.gz", Member: "usr/share/doc/smalt/test/data/cigar_ref.fa.gz", Role: "genome", Size: 7703845, SHA256: "a816e4b788e81d4645b9e1d068978f0abf25788e249b19813c62637e26912c8a"}),
		smalt("human-x", "the first 70 Mb of the human chromosome X (GRCh37)",
			File{Name: "human-x.fa.gz", Member: "usr/share/doc/smalt/test/data/hs37chrXtrunc.fa.gz", Role: "genome", Size: 19840875, SHA256: "01fe793d0b77f91fa9d2edb8b269d9bc480cf71df469dce4be6e45bec25c749a"}),
		smalt("suis", "the genome of Streptococcus suis, 2.0 Mb",
			File{Name: "suis.fa.gz", Member: "usr/share/doc/smalt/test/data/sequence_test_1.fa.gz", Role: "genome", Size: 624261, SHA256: "0e6382a07b4d3dd7b82ae5dbbb286618a248057f1b134f589de3c5d08823db20"}),
		{
			Name: "ecoli-pacbio", Domain: "dna", About: "16,890 PacBio RS II reads (P5-C3) of Escherichia coli K-12, 139 Mb (30 times), and their reference; 285 MB unpacked",
			Licence: "GPL-3.0-or-later (as packaged)", Source: "Celera Assembler, PBcR self-correction sample, as published with wtdbg2",
			Package: "wtdbg2-examples", Version: "2.5-9", Download: 121133160,
			Files: []File{
				{Name: "reference.fasta", Member: "usr/share/doc/wtdbg2-examples/selfSampleData.tar.gz//selfSampleData/reference.fasta", Role: "genome", Size: 4716904, SHA256: "97d90bbb4d6de07dce5ad1754cd3df71e04148dfd0dbd546c1d9fca90fa4ce8b"},
				{Name: "pacbio_filtered.fastq", Member: "usr/share/doc/wtdbg2-examples/selfSampleData.tar.gz//selfSampleData/pacbio_filtered.fastq", Role: "reads", Size: 279799388, SHA256: "93970159a3d8232966a352c645b09e0b5a85e70d44dc69b7278d87791773685a"},
			},
		},
		{
			Name: "sirv-nanopore", Domain: "dna", About: "5,000 Nanopore cDNA reads of SIRV spike-ins, their 7 genes, and spliced alignments by minimap2",
			Licence: "MIT (as packaged)", Source: "SeqKit, tests (reads of Oxford Nanopore Technologies)",
			Package: "seqkit-examples", Version: "2.3.1+ds-1", Download: 39641484,
			Files: []File{
				{Name: "SIRV_150601a.fasta.gz", Member: "usr/share/doc/seqkit-examples/tests/SIRV_150601a.fasta.gz", Role: "genome", Size: 57770, SHA256: "626aec9cf09e1cb4d5941f45050fa20ada6213e97feebf385d741bd946606ca4"},
				{Name: "pcs109_5k.fq.gz", Member: "usr/share/doc/seqkit-examples/tests/pcs109_5k.fq.gz", Role: "reads", Size: 4184448, SHA256: "c2f0cfdb35b2a8fff2f95727129849023bb218e6995912b9780ec7e1b87947a2"},
				{Name: "pcs109_5k_spliced.sam.gz", Member: "usr/share/doc/seqkit-examples/pcs109_5k_spliced.sam.gz", Role: "alignments", Size: 4126244, SHA256: "43b3fd38e656ae817fbb8bd812d614e4d810e70dc059fa982593aba0e1e5a86c"},
			},
		},
	}
}
